import { runCommand } from './commands';
import { weir } from './weir';

void runCommand(weir(), __filename, process, process.env).then((code) => process.exit(code));
