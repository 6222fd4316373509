import { runApp } from '@weir/service';
import { start } from './app';
import { variables } from './config';

void runApp({ name: 'stats', variables, start }, process);
