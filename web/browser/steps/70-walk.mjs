// The product's walk-through by clicking, in each language on a fresh platform: what an admin does on the first day.
import { Visitor } from '../harness.mjs'
import { CreatePage, Own, through, until } from '../own.mjs'
import { words } from '../words.mjs'

const path = '/test_health_check/'

export default async function walk(browser, env) {
  for (const language of ['en', 'ko']) {
    const own = await Own.start(env.control)
    const v = await new Visitor(browser, { url: own.url, shots: env.shots, prefs: { language, theme: 'light' } }).open()
    v.expectFault(/status of 40[139]/)
    await walkThrough(v, own, words(language), language, env)
    await v.close()
    await own.end()
  }
}

async function walkThrough(v, own, w, language, env) {
  const { t } = w
  const { page } = v
  const create = new CreatePage(page, w)
  const nav = (key) =>
    page
      .getByRole('navigation', { name: t('shell.nav') })
      .getByRole('link', { name: t(key), exact: true })
      .click()

  // The first admin signs in, and finds on the overview what to do first.
  await own.enter(v, w, '/', env.newPassword)
  await nav('apis.title')
  await page
    .getByRole('link', { name: t('apis.new') })
    .first()
    .click()

  // Open to everyone takes a second click; every gateway confirms, with milliseconds.
  await create.fill({ name: 'Test health check', upstream: own.url, domain: '127.0.0.1', path })
  await page.getByText(t('newApi.pathFree'), { exact: true }).waitFor()
  await page.getByRole('radio', { name: new RegExp(`^${t('newApi.authNone')}`) }).check()
  await create.create()
  await page.getByText(t('newApi.decideOpen')).waitFor()
  await page.getByRole('button', { name: t('newApi.openConfirm') }).click()
  await create.create()
  const line = await create.live()
  if (!/\d+ ?ms|밀리초|\d s|초/.test(line)) throw new Error(`no milliseconds: ${line}`)
  const ticks = page.getByRole('list', { name: t('publish.gateways') }).getByRole('listitem')
  if ((await ticks.count()) !== 3) throw new Error(`${await ticks.count()} ticks for three gateways`)
  await v.axe('walk, live')
  await v.sane('walk, live')
  await v.shot(`walk-live-${language}`, true)

  // The ready command, with the rest of the path, brings the dashboard's own health document through every gateway.
  await page.getByLabel(t('newApi.path')).fill(`${path}hello`)
  const command = await create.curl()
  if (new URL(command.url).pathname !== `${path}hello` || !own.gateways.includes(new URL(command.url).origin))
    throw new Error(`the command calls ${command.url}`)
  for (const { status, text } of await through(own.gateways, command)) {
    if (status !== 200 || !text.includes('"service"')) throw new Error(`not the health document: ${status} ${text}`)
  }
  await (await create.run()).getByText('200', { exact: true }).waitFor()

  // A second API on the same path is refused with the first one's name.
  await page.getByRole('button', { name: t('newApi.another') }).click()
  await create.fill({ name: 'Second', upstream: own.url, domain: '127.0.0.1', path })
  const taken = t('errors.api.path_taken', { name: 'Test health check', path })
  await page.getByText(taken).waitFor()
  await create.create()
  await page.waitForFunction(() => document.activeElement?.getAttribute('name') === 'path')
  await page.getByText(taken).waitFor()
  if ((await own.ask('/apis')).items.length !== 1) throw new Error('the second API was made')

  // An API with a key: the secret is shown once.
  await create.fill({ name: 'Orders', path: '/orders/' })
  await page.getByText(t('newApi.pathFree'), { exact: true }).waitFor()
  await create.create()
  await create.live()
  await page.getByLabel(t('newApi.path')).fill('/orders/hello')
  const without = await through(own.gateways, { ...(await create.curl()), headers: [] })
  if (without.some((a) => a.status !== 401)) throw new Error(`without the key: ${without.map((a) => a.status)}`)
  await page.getByRole('button', { name: t('newApi.keyCreate') }).click()
  await page.getByText(t('newApi.keyDone')).waitFor()
  const keyed = await create.curl()
  if (!keyed.headers.some(([, value]) => value.includes('slc_'))) throw new Error('the command lacks the key')
  await v.shot(`walk-key-${language}`, true)
  const opened = await through(own.gateways, keyed)
  if (opened.some((a) => a.status !== 200)) throw new Error(`with the key: ${opened.map((a) => a.status)}`)
  await (await create.run()).getByText('200', { exact: true }).waitFor()
  await page.reload()
  await v.settle()
  await page.getByRole('button', { name: t('newApi.keyCreate') }).waitFor()
  if ((await page.content()).includes('slc_')) throw new Error('the secret is shown twice')

  await requests(v, own, w, keyed, language)
  await revoked(v, own, w, keyed, language)

  // What was changed, by whom.
  await nav('titles.revisions')
  const changes = page.getByRole('table', { name: t('titles.revisions') })
  await changes.getByText('Orders').first().waitFor()
  await changes.getByText('Test health check').first().waitFor()
  await v.sane('walk, revisions')
  await v.shot(`walk-revisions-${language}`, true)
}

/** A call is in the list within 3 s; the page is open, as somebody's who waits for it. */
async function requests(v, own, { t }, keyed, language) {
  const { page } = v
  await page
    .getByRole('navigation', { name: t('shell.nav') })
    .getByRole('link', { name: t('titles.requests'), exact: true })
    .click()
  await page.getByRole('switch', { name: t('requests.live') }).check()
  await page.getByText('/orders/hello').first().waitFor()
  await through(own.gateways.slice(1, 2), { ...keyed, url: keyed.url.replace('hello', 'hello/just-now') })
  const begun = Date.now()
  await page.getByText('/orders/hello/just-now').first().waitFor()
  const ms = Date.now() - begun
  if (ms > 3_000) throw new Error(`the request was in the list after ${ms} ms`)
  await v.sane('walk, requests')
  await v.shot(`walk-requests-${language}`, true)
}

/** Revoked by clicking: every gateway refuses the key within a second. */
async function revoked(v, own, { t }, keyed, language) {
  const { page } = v
  await page
    .getByRole('navigation', { name: t('shell.nav') })
    .getByRole('link', { name: t('titles.keys'), exact: true })
    .click()
  const alias = t('newApi.keyName', { name: 'Orders' })
  await page.getByRole('link', { name: alias }).first().click()
  await page.getByRole('button', { name: t('keys.revoke'), exact: true }).click()
  const dialog = page.getByRole('dialog', { name: t('keys.revokeTitle', { alias }) })
  // It is known to be in use, so its name is asked for.
  await dialog.getByRole('textbox').fill(alias)
  await v.shot(`walk-revoke-${language}`)
  await dialog.getByRole('button', { name: t('keys.revoke'), exact: true }).click()
  await until(
    async () => (await through(own.gateways, keyed)).every((a) => a.status === 401),
    1_000,
    'every gateway refuses the revoked key',
  )
  await page.getByText(t('keys.ended')).waitFor()
}
