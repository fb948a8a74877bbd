// Measures the lists in a real browser where there is much to list: from the address to the first row, from a key press in
// the search to its answer, frames while scrolling. TestSoakScale of deploy/e2e calls this; it exits with 1 over a budget.
import { openBrowser, Visitor } from './harness.mjs'

const times = 11
const newPassword = 'the river has three gates'
const env = { url: process.env.SLUICE_CONSOLE_URL, login: process.env.SLUICE_LOGIN, password: process.env.SLUICE_PASSWORD }
let over = 0

function report(what, took, budget) {
  const sorted = took.toSorted((a, b) => a - b)
  const at = (q) => Math.round(sorted[Math.floor(q * (sorted.length - 1))] * 10) / 10
  const missed = budget !== undefined && at(0.95) > budget
  if (missed) over++
  console.log(`${what.padEnd(60)} p50 ${at(0.5)} ms  p95 ${at(0.95)} ms${missed ? `, more than ${budget} ms` : ''}`)
}

const browser = await openBrowser()
const v = await new Visitor(browser, { url: env.url, prefs: { language: 'en', theme: 'light' } }).open()
const { page } = v
v.expectFault(/status of 401/)
await v.go('/login')
await v.signIn(env.login, env.password)
await page.getByLabel('One-time password').fill(env.password)
await page.getByLabel('New password', { exact: true }).fill(newPassword)
await page.getByLabel('New password, again').fill(newPassword)
await page.getByRole('button', { name: 'Set the password' }).click()
await page.waitForURL((u) => u.pathname === '/')

/** Milliseconds since the navigation began, once a row is painted. */
const untilRow = () =>
  page.evaluate(
    () =>
      new Promise((done) => {
        const look = () =>
          document.querySelector('[data-row="0"]')
            ? requestAnimationFrame(() => done(performance.now()))
            : requestAnimationFrame(look)
        look()
      }),
  )

/** Types a text at once and tells when its answer stands in the list, and how long the answer itself took. */
async function search(path, q) {
  const answer = page.waitForResponse((r) => r.url().includes(`/api/v1${path}?`) && new URL(r.url()).searchParams.get('q') === q)
  const begun = await page.evaluate((text) => {
    const box = document.querySelector('input[type=search], input[role=searchbox]')
    const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set
    set.call(box, text)
    box.dispatchEvent(new Event('input', { bubbles: true }))
    return performance.now()
  }, q)
  const timing = (await answer).request().timing()
  const shown = await page.evaluate(
    (q) =>
      new Promise((done) => {
        const look = () => {
          const settled =
            new URLSearchParams(window.location.search).get('q') === q &&
            !document.querySelector('[class*=stale]') &&
            !document.querySelector('[aria-busy=true]')
          if (settled) requestAnimationFrame(() => done(performance.now()))
          else requestAnimationFrame(look)
        }
        look()
      }),
    q,
  )
  return { shown: shown - begun, answer: timing.responseStart - timing.requestStart }
}

for (const [path, questions] of [
  ['/apis', ['o', '결제', 'service-2499', 'nowhere at all']],
  ['/keys', ['o', '결제', 'client 49999', 'nowhere at all']],
]) {
  const opened = []
  for (let i = 0; i < times; i++) {
    await page.goto(env.url + path)
    opened.push(await untilRow())
  }
  report(`${path}: from the address to the first row`, opened, 1000)
  for (const q of questions) {
    const shown = []
    const answered = []
    for (let i = 0; i < times; i++) {
      await page.goto(env.url + path)
      await untilRow()
      const took = await search(path, q)
      shown.push(took.shown)
      answered.push(took.answer)
    }
    report(`${path}: "${q}", answer of the server`, answered, 200)
    report(`${path}: "${q}", from the key press to the rows`, shown)
  }
  await page.goto(env.url + path)
  await untilRow()
  const frames = await page.evaluate(
    () =>
      new Promise((done) => {
        const took = []
        let before = performance.now()
        const step = () => {
          const now = performance.now()
          took.push(now - before)
          before = now
          window.scrollBy(0, 400)
          if (took.length < 240) requestAnimationFrame(step)
          else done(took.slice(1))
        }
        requestAnimationFrame(step)
      }),
  )
  report(`${path}: a frame while scrolling 240 steps of 400 px`, frames)
  const rows = await page.evaluate(() => [document.querySelectorAll('[data-row]').length, window.scrollY])
  console.log(`${path}: ${rows[0]} rows in the page at ${rows[1]} px`)
}
await v.close()
await browser.close()
process.exit(over > 0 ? 1 : 0)
