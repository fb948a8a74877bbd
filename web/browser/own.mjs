// A platform of a step's own, and what can be done to its processes; deploy/e2e/browser/control.go answers.

/** Waits until `ask` returns something; it may throw meanwhile. Returns that and how long it took. */
export async function until(ask, within, what) {
  const begun = Date.now()
  let last
  while (Date.now() - begun < within) {
    try {
      const answer = await ask()
      if (answer) return { answer, ms: Date.now() - begun }
    } catch (e) {
      last = e
    }
    await new Promise((done) => setTimeout(done, 10))
  }
  throw new Error(`${what}: not within ${within} ms${last ? ` (${last.message})` : ''}`)
}

/** A fresh platform: a dashboard whose admin has a one-time password, three gateways, a pump. */
export class Own {
  static async start(control) {
    const own = new Own()
    own.control = control
    Object.assign(own, await own.#post('/platforms'))
    return own
  }

  async #post(path, method = 'POST') {
    const answer = await fetch(this.control + path, { method })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${path}: ${text}`)
    return JSON.parse(text)
  }

  /** `start`, `stop`, `kill`, `halt` or `resume` of `redis`, `dashboard-1`, `gateway-2` ... */
  act(service, action) {
    return this.#post(`/platforms/${this.id}/${service}/${action}`)
  }

  /** Lets no text that contains this reach the last gateway as it is; empty ends it. */
  damage(text) {
    return this.#post(`/platforms/${this.id}/damage?text=${encodeURIComponent(text)}`)
  }

  /** Lets the dashboard die, as by kill -9, at a step of its next publication. */
  die(step) {
    return this.#post(`/platforms/${this.id}/die?step=${step}`)
  }

  end() {
    return this.#post(`/platforms/${this.id}`, 'DELETE')
  }

  /** The API's answer to somebody else. */
  async ask(path, { method = 'GET', body } = {}) {
    const headers = { Authorization: `Bearer ${this.token}`, ...(body && { 'Content-Type': 'application/json' }) }
    const answer = await fetch(`${this.url}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return answer.json()
  }

  /** Changes the first admin's one-time password by clicking, which leads to `path`. */
  async enter(visitor, { t }, path, password) {
    const { page } = visitor
    await visitor.go(`/login?next=${encodeURIComponent(path)}`)
    await page.getByLabel(t('login.login'), { exact: true }).fill(this.login)
    await page.getByLabel(t('login.password'), { exact: true }).fill(this.password)
    await page.getByRole('button', { name: t('login.signIn') }).click()
    await page.getByRole('heading', { name: t('login.changeTitle') }).waitFor()
    await page.getByLabel(t('login.oldPassword')).fill(this.password)
    await page.getByLabel(t('login.newPassword'), { exact: true }).fill(password)
    await page.getByLabel(t('login.again')).fill(password)
    await page.getByRole('button', { name: t('login.change') }).click()
    await page.getByRole('navigation', { name: t('shell.nav') }).waitFor()
    await visitor.settle()
  }
}

/** The page that creates an API, by its labels. */
export class CreatePage {
  constructor(page, { t, like }) {
    Object.assign(this, { page, t, like })
  }

  field(key) {
    return this.page.getByRole('textbox', { name: new RegExp(`^${this.t(key)}`) })
  }

  async fill({ name, upstream, domain, path, open }) {
    if (name !== undefined) await this.field('newApi.name').fill(name)
    if (upstream !== undefined) await this.field('newApi.upstream').fill(upstream)
    if (domain !== undefined) await this.field('newApi.domain').fill(domain)
    if (path !== undefined) await this.field('newApi.listenPath').fill(path)
    await this.page.keyboard.press('Tab')
    if (!open) return
    await this.page.getByRole('radio', { name: new RegExp(`^${this.t('newApi.authNone')}`) }).check()
    await this.page.getByRole('button', { name: this.t('newApi.openConfirm') }).click()
  }

  create() {
    return this.page.getByRole('button', { name: this.t('newApi.create') }).click()
  }

  /** Waits for a sentence about the revision and returns it. */
  async says(key, values, timeout) {
    const line = this.page
      .getByRole('status')
      .filter({ hasText: this.like(key, values) })
      .first()
    await line.waitFor({ timeout })
    return line.innerText()
  }

  live() {
    return this.says('publish.liveIn', { applied: '3', connected: '3' })
  }

  /** What the command line on the page asks for: URL and headers. */
  async curl() {
    const text = await this.page.getByRole('group', { name: this.t('newApi.curl') }).innerText()
    const headers = [...text.matchAll(/-H '?"?([\w-]+): ([^'"\n]+)/g)].map((m) => [m[1], m[2]])
    const url = /https?:\/\/[^\s'"\\]+/.exec(text)?.[0]
    if (!url) throw new Error(`no command: ${text}`)
    return { url, headers }
  }

  async run() {
    await this.page.getByRole('button', { name: this.t('newApi.run'), exact: true }).click()
    const answer = this.page.getByRole('region', { name: this.t('newApi.runTitle') })
    await answer.waitFor()
    return answer
  }
}

/** Calls each gateway as the command does. */
export async function through(gateways, { url, headers }) {
  const out = []
  for (const gateway of gateways) {
    const { pathname, search } = new URL(url)
    const answer = await fetch(gateway + pathname + search, { headers })
    out.push({ status: answer.status, text: await answer.text() })
  }
  return out
}
