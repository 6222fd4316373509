import './heap';
import { runApp } from '@weir/service';
import { check, start } from './app';
import { variables } from './config';

void runApp({ name: 'gateway', variables, check, start }, process);
