#!/usr/bin/env node
// Here, not in dist/, so that npm can link it before the first build.
require('../dist/main.js');
