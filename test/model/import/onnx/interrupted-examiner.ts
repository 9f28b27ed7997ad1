// Ends as a process does in whose terminal someone presses Ctrl-C.
process.once('message', () => process.kill(process.pid, 'SIGINT'));
