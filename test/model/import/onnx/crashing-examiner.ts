// Ends as a process does in which ONNX Runtime reads where it must not.
process.once('message', () => process.kill(process.pid, 'SIGSEGV'));
