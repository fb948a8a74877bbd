// Runs the steps of browser/steps in the order of their names against a running dashboard and prints one JSON line for
// each. deploy/e2e/browser starts the platform and calls this; by hand:
//
//   SLUICE_CONSOLE_URL=http://127.0.0.1:PORT SLUICE_LOGIN=admin SLUICE_PASSWORD=... node browser/run.mjs [part of a name]
import { readdirSync } from 'node:fs'
import { openBrowser, visitors } from './harness.mjs'

const folder = new URL('./steps/', import.meta.url)
const wanted = process.argv[2] ?? process.env.SLUICE_STEPS ?? ''
const env = {
  url: process.env.SLUICE_CONSOLE_URL,
  login: process.env.SLUICE_LOGIN ?? 'admin',
  /** The one-time password of the first admin; the first step changes it to `newPassword`. */
  password: process.env.SLUICE_PASSWORD,
  newPassword: process.env.SLUICE_NEW_PASSWORD ?? 'the river has three gates',
  upstream: process.env.SLUICE_UPSTREAM,
  gateways: (process.env.SLUICE_GATEWAYS ?? '').split(',').filter(Boolean),
  /** Where steps get platforms of their own, whose processes they may stop: own.mjs. */
  control: process.env.SLUICE_CONTROL,
  shots: process.env.SLUICE_SHOTS,
  /** Whether every page is pictured, not only what failed or is worth one. */
  pictures: process.env.SLUICE_PICTURES === '1',
}

const browser = await openBrowser()
let failed = 0
for (const file of readdirSync(folder).sort()) {
  if (!file.endsWith('.mjs') || !wanted.split(',').some((w) => file.includes(w))) continue
  const { default: step } = await import(new URL(file, folder))
  const begun = Date.now()
  let error = ''
  try {
    await step(browser, env)
  } catch (e) {
    error = e.stack ?? String(e)
    failed++
    for (const v of [...visitors]) {
      await v.shot(`failed-${file}`).catch(() => undefined)
      await v.close().catch((more) => {
        error += `\n${more.message}`
      })
    }
  }
  console.log(JSON.stringify({ step: file.replace(/\.mjs$/, ''), ms: Date.now() - begun, error }))
}
await browser.close()
process.exit(failed > 0 ? 1 : 0)
