import { runCommand } from './commands';
import { weir } from './weir';

void runCommand(weir(), __filename, process).then((code) => process.exit(code));
