// A real Bluesky network on free loopback ports: PLC directory, PDS and AppView.
//
//   node start.mjs MODULES POSTGRES_URL [limits|no-limits]
//
// MODULES is the folder whose node_modules holds @atproto/dev-env. When everything answers, one
// line of JSON with the addresses is printed. It ends on SIGTERM and when stdin closes, so that it
// never outlives the test run that started it.

import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const [modules, postgresUrl, limits = 'limits'] = process.argv.slice(2)
if (!modules || !postgresUrl) {
  console.error('usage: node start.mjs MODULES POSTGRES_URL [limits|no-limits]')
  process.exit(2)
}
const require = createRequire(join(modules, 'package.json'))
const { TestBsky, TestPds, TestPlc, mockNetworkUtilities } = require('@atproto/dev-env')

const freePort = () =>
  new Promise((resolve, reject) => {
    const probe = createServer()
    probe.on('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })

const plc = await TestPlc.create({})
const pdsPort = await freePort()
const bsky = await TestBsky.create({
  port: await freePort(),
  plcUrl: plc.url,
  pdsPort,
  repoProvider: `ws://localhost:${pdsPort}`,
  dbPostgresUrl: postgresUrl,
  dbPostgresSchema: 'appview',
})
const pds = await TestPds.create({
  port: pdsPort,
  didPlcUrl: plc.url,
  bskyAppViewUrl: bsky.url,
  bskyAppViewDid: bsky.serverDid,
  rateLimitsEnabled: limits === 'limits',
})
// Handles end in .test: they are resolved at this PDS instead of in the DNS.
mockNetworkUtilities(pds, bsky)

// The AppView reads the PDS's event stream a moment later; tests ask here until it has caught up.
async function settle() {
  const deadline = Date.now() + 20_000
  await pds.processAll()
  const last = await pds.ctx.sequencer.curr()
  while (Date.now() < deadline) {
    await bsky.sub.processAll()
    if (!last || (await bsky.sub.runner.getCursor()) >= last) return
    await sleep(10)
  }
  throw new Error(`the AppView did not reach event ${last} within 20 seconds`)
}

const control = createServer(async (request, response) => {
  try {
    if (request.url !== '/settle') throw new Error(`unknown request ${request.url}`)
    await settle()
    response.writeHead(204).end()
  } catch (error) {
    response.writeHead(500).end(String(error))
  }
})
await new Promise((resolve) => control.listen(0, '127.0.0.1', resolve))

let stopping = false
async function stop() {
  if (stopping) return
  stopping = true
  setTimeout(() => process.exit(1), 8_000).unref()
  control.close()
  await pds.close().catch(() => {})
  await bsky.close().catch(() => {})
  await plc.close().catch(() => {})
  process.exit(0)
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
process.stdin.on('end', stop).on('error', stop).resume()

console.log(
  JSON.stringify({
    ready: true,
    pds: pds.url,
    appview: bsky.url,
    plc: plc.url,
    control: `http://127.0.0.1:${control.address().port}`,
  }),
)
