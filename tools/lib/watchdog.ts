/**
 * Preloaded into every test process: ends a file that outlives RATATOSK_FILE_SECONDS and says what kept it. Node's own
 * `--test-timeout` ends tests, but not a file whose tests are done while a socket or timer of theirs is still open.
 */
const seconds = Number(process.env['RATATOSK_FILE_SECONDS'])

if (seconds > 0 && process.env['NODE_TEST_CONTEXT'] !== undefined) {
  setTimeout(() => {
    const open = process.getActiveResourcesInfo().join(', ')
    process.stderr.write(`${process.argv[1]} did not end within ${seconds} s; open: ${open}\n`)
    process.exit(1)
  }, seconds * 1000).unref()
}
