// What every step of the browser tests stands on: one Chromium, pages whose faults fail the step, axe, pictures.
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { areas } from './routes.mjs'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export const languages = ['en', 'ko']
export const themes = ['light', 'dark']
/** Those that are open; the runner asks them what went wrong when a step stops. */
export const visitors = new Set()

export const widths = [390, 1024, 1440]

/** A key of a text in the place of its words. Codes of errors, which stand behind their name, and host names are none. */
const shownKey = `(?<![\\w./@:-])(${areas().join('|')})\\.[a-z][A-Za-z]+(?![\\w.:/@-])`

/** Starts the one browser. */
export async function openBrowser() {
  const executablePath = process.env.SLUICE_CHROMIUM ?? '/usr/bin/chromium'
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--font-render-hinting=none'] })
}

/** A visitor with a fresh profile. `prefs` are those of src/prefs.ts. */
export class Visitor {
  constructor(browser, { url, prefs = {}, width = 1440, timezoneId = 'Asia/Seoul', locale = 'en-GB', shots, pictures, token }) {
    Object.assign(this, { browser, url, prefs, width, timezoneId, locale, shots, pictures, token, faults: [], expected: [] })
  }

  async open() {
    visitors.add(this)
    this.context = await this.browser.newContext({
      viewport: { width: this.width, height: 900 },
      timezoneId: this.timezoneId,
      locale: this.locale,
      reducedMotion: 'reduce',
      ...(this.token && { extraHTTPHeaders: { Authorization: `Bearer ${this.token}` } }),
    })
    this.context.setDefaultTimeout(30_000)
    await this.context.addInitScript((prefs) => {
      if (!localStorage.getItem('sluice.prefs')) localStorage.setItem('sluice.prefs', JSON.stringify(prefs))
      document.addEventListener('securitypolicyviolation', (e) =>
        console.error(`CSP: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`),
      )
    }, this.prefs)
    // Requests of a shared worker do not have the token; the page then listens by itself.
    if (this.token) await this.context.addInitScript(() => Reflect.deleteProperty(window, 'SharedWorker'))
    this.page = await this.context.newPage()
    this.watch(this.page)
    return this
  }

  /** Makes every complaint of a page a fault; one that a step provokes on purpose is named by expectFault before. */
  watch(page) {
    page.on('console', (m) => {
      if (m.type() !== 'error') return
      const text = `${m.text()} ${m.location().url}`
      if (!this.expected.some((e) => e.test(text))) this.faults.push(text)
    })
    page.on('pageerror', (e) => this.faults.push(`${e.stack ?? e.message}`))
  }

  /** Names complaints that belong to the step, such as a refused request. */
  expectFault(re) {
    this.expected.push(re)
  }

  async go(path) {
    await this.page.goto(this.url + path)
    await this.settle()
  }

  /** Waits until the page stands still: no skeletons, nothing busy. */
  async settle() {
    await this.page.waitForFunction(
      () =>
        document.getElementById('root')?.childElementCount &&
        (document.querySelector('[data-gallery]') || !document.querySelector('[aria-busy="true"]')),
    )
  }

  /** Changes preferences without loading the page again, as another tab of the same browser would. */
  async dress(prefs) {
    await this.page.evaluate((p) => {
      const before = JSON.parse(localStorage.getItem('sluice.prefs') ?? '{}')
      localStorage.setItem('sluice.prefs', JSON.stringify({ ...before, ...p }))
      window.dispatchEvent(new StorageEvent('storage', { key: 'sluice.prefs' }))
    }, prefs)
    Object.assign(this.prefs, prefs)
    await this.page.waitForFunction(
      ({ language, theme }) => {
        const { lang, dataset } = document.documentElement
        return (!language || lang === language) && (!theme || dataset.mantineColorScheme === theme)
      },
      { language: prefs.language, theme: prefs.theme },
    )
    await this.drawn()
  }

  /** Waits until what was changed is painted. */
  async drawn() {
    await this.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
  }

  async set(prefs) {
    await this.page.evaluate((p) => {
      localStorage.setItem('sluice.prefs', JSON.stringify({ ...JSON.parse(localStorage.getItem('sluice.prefs') ?? '{}'), ...p }))
    }, prefs)
    Object.assign(this.prefs, prefs)
    await this.page.reload()
    await this.settle()
  }

  /** Faults of accessibility, of WCAG 2.2 AA and of best practice. */
  async axe(where) {
    // Colours that are on their way from one state to the next are neither's.
    await this.page.waitForFunction(() => document.getAnimations().every((a) => a.playState !== 'running'))
    // By the debugging protocol, which the page's policy does not bind.
    if (!(await this.page.evaluate(() => 'axe' in window))) await this.page.evaluate(axe)
    const found = await this.page.evaluate(async () => {
      const result = await window.axe.run(document, {
        resultTypes: ['violations'],
        preload: false, // the console has no style of another site to fetch
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      })
      // A menu hangs at the end of the body; one reaches it from its button, not by way of a landmark.
      const floating = (n) =>
        document.querySelector(n.target[0])?.closest('[role="menu"], [role="listbox"], [role="tooltip"], [data-portal]')
      const faults = result.violations.map((v) => (v.id === 'region' ? { ...v, nodes: v.nodes.filter((n) => !floating(n)) } : v))
      return faults
        .filter((v) => v.nodes.length > 0)
        .map(
          (v) =>
            `${v.id}: ${v.help}\n${v.nodes.map((n) => `      ${n.target.join(' ')} ${n.failureSummary?.replaceAll('\n', ' ')}`).join('\n')}`,
        )
    })
    for (const f of found) this.faults.push(`axe, ${where}: ${f}`)
  }

  /** What no page of the console may have: a key in the place of its text, an empty page, a sideways scroll. */
  async sane(where) {
    const found = await this.page.evaluate((shownKey) => {
      const out = []
      const text = document.body.innerText
      const key = new RegExp(shownKey).exec(text.replace(/(Code|코드) [\w.]+/g, ''))?.[0]
      if (key) out.push(`the key ${key} is shown`)
      const hole = /\{\w+(:[^}]*)?\}/.exec(text)?.[0]
      if (hole && !document.querySelector('pre, [data-hole]')) out.push(`the placeholder ${hole} is shown`)
      const own = document.querySelector('main') ?? document.body
      if (own.innerText.trim().length < 3 || !own.querySelector('h1, h2')) out.push('the page is blank')
      const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth
      if (wide > 0) {
        const right = document.documentElement.clientWidth + 1
        const first = [...document.body.querySelectorAll('*')].find((x) => x.getBoundingClientRect().right > right)
        out.push(`the page scrolls sideways by ${wide} px, from ${first?.outerHTML.slice(0, 200)}`)
      }
      return out
    }, shownKey)
    for (const f of found) this.faults.push(`${where}: ${f}`)
  }

  async shot(name, fullPage = false) {
    if (!this.shots) return
    mkdirSync(this.shots, { recursive: true })
    const size = this.page.viewportSize()
    const tall = fullPage ? await this.page.evaluate(() => Math.min(4_400, document.documentElement.scrollHeight)) : size.height
    // A taller window, not Chromium's full page: what hangs on the window's edge then hangs where it would.
    if (tall > size.height) await this.page.setViewportSize({ ...size, height: tall })
    await this.page.screenshot({ path: join(this.shots, `${name}.png`) })
    if (tall > size.height) await this.page.setViewportSize(size)
  }

  async signIn(login, password) {
    await this.page.getByLabel(/^(Login|로그인 ID)$/).fill(login)
    await this.page.getByLabel(/^(Password|비밀번호)$/).fill(password)
    await this.page.getByRole('button', { name: /^(Sign in|로그인)$/ }).click()
  }

  /** Ends the visit; its faults are the step's. */
  async close() {
    visitors.delete(this)
    await this.context.close()
    if (this.faults.length > 0) throw new Error(this.faults.join('\n    '))
  }
}

/** The settings of the person go back to what their browser says, so that steps begin alike. */
export async function plainProfile(page) {
  const made = await send(page, 'PATCH', '/me', { locale: '', theme: '', timeZone: '' })
  if (made.status !== 200) throw new Error(`the profile: ${made.status} ${made.text}`)
}

/** A call of the API in the page's own session, as another program would make it; a text is sent byte for byte. */
export async function send(page, method, path, body, etag) {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  return page.evaluate(
    async ([method, path, body, etag]) => {
      const { csrf } = await (await fetch('/api/v1/session')).json()
      const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
      const headers = {
        ...(csrf && { 'X-CSRF-Token': csrf }),
        ...(body && { 'Content-Type': type }),
        ...(etag && { 'If-Match': etag }),
      }
      const r = await fetch(`/api/v1${path}`, { method, headers, body })
      return { status: r.status, text: await r.text(), etag: r.headers.get('ETag') ?? '' }
    },
    [method, path, text, etag],
  )
}

/** The same, where anything but success ends the step; its answer's JSON. */
export async function demand(page, method, path, body, etag) {
  const { status, text } = await send(page, method, path, body, etag)
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}

/** A visitor who is signed in, with a plain profile. */
export async function signedIn(browser, env, more = {}) {
  const v = await new Visitor(browser, { ...env, prefs: { language: 'en', theme: 'light' }, ...more }).open()
  v.expectFault(/session.*40[13]|40[13].*session/)
  await v.go('/login')
  await v.signIn(env.login, env.newPassword)
  await v.page.waitForURL((u) => u.pathname !== '/login')
  await v.settle()
  return v
}

/**
 * Looks at one address in every language, theme and width: axe, sanity, a picture where they are wanted. Languages and
 * themes are changed without a reload. Every combination is seen by axe, at one of two widths in turn. `crosswise` leaves
 * out half of them, so that each language and each theme is seen once.
 */
export async function everywhere(visitor, path, name, how) {
  const { prepare, ready, crosswise } = how || {}
  await visitor.go(path)
  if (ready) await ready(visitor.page)
  for (const [i, language] of languages.entries()) {
    for (const [j, theme] of themes.entries()) {
      if (crosswise && i !== j) continue
      await visitor.dress({ language, theme })
      await visitor.settle()
      if (prepare) await prepare(visitor.page)
      for (const width of widths) {
        await visitor.page.setViewportSize({ width, height: 900 })
        await visitor.drawn()
        const where = `${name}-${language}-${theme}-${width}`
        await visitor.sane(where)
        if (width === ((crosswise ? i : i + j) % 2 === 0 ? 1440 : 390)) await visitor.axe(where)
        if (visitor.pictures) await visitor.shot(where, true)
      }
      await visitor.page.setViewportSize({ width: 1440, height: 900 })
    }
  }
}
