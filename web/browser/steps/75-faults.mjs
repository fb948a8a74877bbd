// Everything that goes wrong around a creation: what the page says happened, what it says to do, and that this helps.
import { Visitor } from '../harness.mjs'
import { CreatePage, Own, through, until } from '../own.mjs'
import { words } from '../words.mjs'

/** Each language on a platform of its own, at the same time: most of this is waiting for processes. */
export default async function faults(browser, env) {
  const ends = await Promise.allSettled(['en', 'ko'].map((language) => inLanguage(browser, env, language)))
  const failed = ends.find((e) => e.status === 'rejected')
  if (failed) throw failed.reason
}

async function inLanguage(browser, env, language) {
  const own = await Own.start(env.control)
  const v = await new Visitor(browser, { url: own.url, shots: env.shots, prefs: { language, theme: 'light' } }).open()
  v.expectFault(
    /status of (401|409|422|50[234])|ERR_(CONNECTION_RE|SOCKET_NOT_CONNECTED|EMPTY_RESPONSE|INCOMPLETE_CHUNKED|ABORTED|FAILED|NETWORK)/,
  )
  const s = new Faults(v, own, words(language), `faults-${language}`)
  await own.enter(v, s.w, '/apis/new', env.newPassword)
  await s.badUrl()
  await s.taken()
  await s.upstreamDown()
  await s.slow()
  await s.rejecting()
  await s.killed('contents', false)
  await s.killed('roots', true)
  if (own.redis) await s.redisAway()
  await s.noGateway()
  await v.close()
  await own.end()
}

class Faults {
  constructor(v, own, w, shots) {
    Object.assign(this, { v, own, w, shots, page: v.page, form: new CreatePage(v.page, w) })
  }

  async look(name) {
    await this.v.axe(name)
    await this.v.sane(name)
    await this.v.shot(`${this.shots}-${name}`, true)
  }

  /** Fills a new form and sends it. */
  async create(name, upstream = this.own.url) {
    await this.v.go('/apis/new')
    const path = `/${name.toLowerCase()}/`
    await this.form.fill({ name, upstream, path, open: true })
    await this.form.create()
    return path
  }

  /** How many APIs have a name, as another program sees it. */
  async count(name) {
    return (await this.own.ask('/apis')).items.filter((a) => a.object.name === name).length
  }

  async badUrl() {
    const { t } = this.w
    const { page, form } = this
    for (const bad of ['nonsense', 'ftp://host', 'http://', 'http://a b']) {
      await form.fill({ name: 'Bad', upstream: bad, path: '/bad/' })
      await page.getByText(t('newApi.upstreamInvalid')).waitFor()
      await form.create()
      await page.waitForFunction(() => document.activeElement?.getAttribute('name') === 'upstream')
    }
    // What only the server finds is told at the same field.
    await form.fill({ upstream: 'http://host:99999', open: true })
    await form.create()
    await page.locator('input[name="upstream"][aria-invalid="true"]').waitFor()
    await this.look('url')
    if ((await this.count('Bad')) !== 0) throw new Error('an API with a bad URL was made')
    await page.getByRole('button', { name: t('newApi.clear') }).click()
  }

  async taken() {
    const { t } = this.w
    const { page, form } = this
    await this.create('First')
    await form.live()
    await this.v.go('/apis/new')
    await form.fill({ name: 'Again', upstream: this.own.url, path: '/first', open: true })
    const said = page.getByText(t('errors.api.path_taken', { name: 'First', path: '/first/' }))
    await said.waitFor()
    await page.getByRole('link', { name: t('newApi.otherApi', { name: 'First' }) }).waitFor()
    await form.create()
    await page.waitForFunction(() => document.activeElement?.getAttribute('name') === 'path')
    await said.waitFor()
    await this.look('taken')
    if ((await this.count('Again')) !== 0) throw new Error('an API on a taken path was made')
    await page.getByRole('button', { name: t('newApi.clear') }).click()
  }

  /** The probe warns and lets one go on; a call then says 502, here and in the list of requests. */
  async upstreamDown() {
    const { t, like } = this.w
    const { page, form } = this
    await this.v.go('/apis/new')
    await form.fill({ name: 'Down', upstream: 'http://127.0.0.1:1', path: '/down/' })
    await page.getByText(like('newApi.probeFailed')).waitFor()
    await page.getByRole('button', { name: t('newApi.probeAgain') }).waitFor()
    await form.fill({ open: true })
    await form.create()
    await form.live()
    const answer = await form.run()
    await answer.getByText('502', { exact: true }).waitFor()
    await answer.getByText(t('errors.upstream.unreachable')).waitFor()
    await this.look('down')
    for (const { status } of await through(this.own.gateways, { url: 'http://x/down/', headers: {} })) {
      if (status !== 502) throw new Error(`a gateway answers ${status} for an upstream that is down`)
    }
    await page.getByRole('link', { name: t('newApi.watch') }).click()
    await page.getByRole('switch', { name: t('requests.live') }).check()
    const row = page.getByRole('row').filter({ hasText: '/down/' }).filter({ hasText: '502' }).first()
    await row.getByRole('link').first().click()
    await page
      .getByRole('dialog')
      .getByText(like('requests.sumFailed', { api: 'Down', status: '502' }))
      .waitFor()
    await this.look('down-request')
  }

  /** A gateway that stands still is named with the time of its last beat; when it goes on, the page shows it by itself. */
  async slow() {
    const { t, like } = this.w
    const { page, form } = this
    await this.own.act('gateway-2', 'halt')
    await this.create('Slow')
    await form.says('publish.late', { applied: '2', connected: '3' })
    await page.getByText(like('publish.notSeen', { name: 'gateway-2' })).waitFor()
    await page.getByRole('button', { name: t('publish.look') }).waitFor()
    await page.getByText(t('publish.lateHelp')).waitFor()
    await this.look('slow')
    await this.own.act('gateway-2', 'resume')
    await form.live()
  }

  /** What reaches the last gateway is damaged on its way: it rejects the API and says why, the others run it. */
  async rejecting() {
    const { t, like } = this.w
    const { page, form } = this
    await this.own.damage('Mangled')
    const path = await this.create('Mangled')
    await form.says('publish.rejected', { count: 1 })
    await page.getByText(t('errors.item.missing')).first().waitFor()
    await page.getByText(like('publish.othersLive', { count: 2 })).waitFor()
    const answers = await through(this.own.gateways, { url: `http://x${path}hello`, headers: {} })
    if (answers.map((a) => a.status).join() !== '200,200,404') throw new Error(`gateways answer ${answers.map((a) => a.status)}`)
    await this.look('rejected')
    await page.getByRole('link', { name: t('publish.toGateway', { name: 'gateway-3' }) }).click()
    await page.getByRole('heading', { name: 'gateway-3' }).waitFor()
    await page.getByText(t('errors.item.missing')).first().waitFor()
    await this.look('rejecting-gateway')
    await page
      .getByRole('main')
      .getByRole('link', { name: t('gateways.title'), exact: true })
      .click()
    await page
      .getByRole('table', { name: t('gateways.title') })
      .getByText('gateway-3')
      .waitFor()
    await this.look('rejecting-gateways')
    await page.goBack()
    await page.goBack()
    await form.says('publish.rejected', { count: 1 })
    await this.own.damage('')
    await form.says('publish.live', { applied: '3', connected: '3' }, 20_000)
  }

  /** The dashboard dies while it saves: nobody knows what happened until one looks, and nothing is made twice. */
  async killed(step, saved) {
    const { t, like } = this.w
    const { page, form } = this
    const name = saved ? 'Kept' : 'Lost'
    await this.own.die(step)
    const path = await this.create(name)
    await page.getByText(t('newApi.unknown')).waitFor()
    await page.keyboard.press('Control+Enter')
    await page.getByRole('button', { name: t('newApi.look') }).click()
    await page.getByText(like('newApi.lookFailed')).waitFor()
    await page
      .getByText(like('shell.disconnected'))
      .or(page.getByText(t('shell.disconnectedPlain')))
      .first()
      .waitFor()
    for (const { status } of await through(this.own.gateways, { url: 'http://x/first/hello', headers: {} })) {
      if (status !== 502) throw new Error(`a gateway answers ${status}; the upstream is the dashboard that was killed`)
    }
    await this.look(`killed-${name}`)
    await this.own.die('')
    await this.own.act('dashboard-1', 'start')
    await page.getByText(like('shell.disconnected')).first().waitFor({ state: 'hidden' })
    await page.getByRole('button', { name: t('newApi.look') }).click()
    if (!saved) {
      await page.getByText(t('newApi.lookAbsent')).waitFor()
      if ((await this.count(name)) !== 0) throw new Error('it was made after all')
      await form.create()
    }
    await form.says('publish.live', { applied: '3', connected: '3' }, 20_000)
    if ((await this.count(name)) !== 1) throw new Error(`${name} was made ${await this.count(name)} times`)
    await until(
      async () => (await through(this.own.gateways, { url: `http://x${path}hello`, headers: {} })).every((a) => a.status === 200),
      2_000,
      `every gateway serves ${path}`,
    )
  }

  /** A change is kept in the store; it goes out when Redis is back, and what was read before stays in sight. */
  async redisAway() {
    const { t } = this.w
    const { form } = this
    await this.own.act('redis', 'kill')
    await this.create('Later')
    await form.says('publish.failed', {}, 20_000)
    await this.page.getByText(t('errors.fleet.unavailable')).first().waitFor()
    await this.page.getByText(t('errors.publish.pending')).waitFor()
    await this.look('redis-away')
    const [first] = await through(this.own.gateways, { url: 'http://x/first/hello', headers: {} })
    if (first.status !== 200) throw new Error(`without Redis a gateway answers ${first.status}`)
    await this.own.act('redis', 'start')
    await form.says('publish.live', { applied: '3', connected: '3' }, 30_000)
  }

  /** A gateway that ended without a word stays in the list for a while, with the time at which it was last heard of. */
  async lost() {
    const { t, like } = this.w
    const { page } = this
    await this.v.go('/gateways')
    const row = page.getByRole('row').filter({ hasText: 'gateway-2' })
    await row.getByText(t('state.offline')).waitFor()
    await this.look('offline-gateways')
    await row.getByRole('link').click()
    await page.getByText(like('gateways.offlineHelp')).waitFor()
    await this.look('offline-gateway')
  }

  /** Nobody serves it yet: it is saved, the page says how a gateway is connected, and sees the first one that is. */
  async noGateway() {
    const { t } = this.w
    const { page, form } = this
    await this.own.act('gateway-2', 'kill')
    await Promise.all([1, 3].map((n) => this.own.act(`gateway-${n}`, 'stop')))
    await this.create('Alone')
    await form.says('publish.none', {}, 15_000)
    await page.getByText(t('publish.howStart', { command: 'systemctl enable --now sluice-gateway' })).waitFor()
    await page.getByRole('button', { name: t('newApi.run'), exact: true }).waitFor()
    await this.look('none')
    await this.own.act('gateway-1', 'start')
    await form.says('publish.live', { applied: '1', connected: '1' }, 15_000)
    await this.lost()
  }
}
