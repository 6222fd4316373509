import { runCommand } from './commands';

const weir = async () => (await import('./weir.js')).weir();
void runCommand(weir, __filename, process, process.env).then((code) => process.exit(code));
