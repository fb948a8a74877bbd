// What every step of the browser tests stands on: one Chromium, pages whose faults fail the step, axe, pictures.
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export const languages = ['en', 'ko']
export const themes = ['light', 'dark']
/** Those that are open; the runner asks them what went wrong when a step stops. */
export const visitors = new Set()

export const widths = [390, 1024, 1440]

/** Starts the one browser. */
export async function openBrowser() {
  const executablePath = process.env.SLUICE_CHROMIUM ?? '/usr/bin/chromium'
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--font-render-hinting=none'] })
}

/** A visitor with a fresh profile. `prefs` are those of src/prefs.ts. */
export class Visitor {
  constructor(browser, { url, prefs = {}, width = 1440, height = 900, timezoneId = 'Asia/Seoul', locale = 'en-GB', shots }) {
    Object.assign(this, { browser, url, prefs, width, height, timezoneId, locale, shots, faults: [], expected: [] })
  }

  async open() {
    visitors.add(this)
    this.context = await this.browser.newContext({
      viewport: { width: this.width, height: this.height },
      timezoneId: this.timezoneId,
      locale: this.locale,
      reducedMotion: 'reduce',
    })
    this.context.setDefaultTimeout(10_000)
    await this.context.addInitScript((prefs) => {
      if (!localStorage.getItem('sluice.prefs')) localStorage.setItem('sluice.prefs', JSON.stringify(prefs))
      document.addEventListener('securitypolicyviolation', (e) =>
        console.error(`CSP: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`),
      )
    }, this.prefs)
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
    // By the debugging protocol, which the page's policy does not bind.
    await this.page.evaluate(axe)
    const found = await this.page.evaluate(async () => {
      const result = await window.axe.run(document, {
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
    const found = await this.page.evaluate(() => {
      const out = []
      const text = document.body.innerText
      const areas = 'apis|errors|gateways|keys|login|me|overview|requests|revisions|shell|state|ui'
      const key = new RegExp(`\\b(${areas})\\.[a-z][A-Za-z]+\\b`).exec(text)?.[0]
      if (key) out.push(`the key ${key} is shown`)
      const hole = /\{\w+(:[^}]*)?\}/.exec(text)?.[0]
      if (hole && !document.querySelector('pre, [data-hole]')) out.push(`the placeholder ${hole} is shown`)
      if (text.trim().length < 3) out.push('the page is blank')
      const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth
      if (wide > 0) {
        const right = document.documentElement.clientWidth + 1
        const first = [...document.body.querySelectorAll('*')].find((x) => x.getBoundingClientRect().right > right)
        out.push(`the page scrolls sideways by ${wide} px, from ${first?.outerHTML.slice(0, 200)}`)
      }
      return out
    })
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

/** Looks at one address in every language, theme and width: axe, sanity, a picture. */
export async function everywhere(visitor, path, name, { prepare, ready } = {}) {
  for (const language of languages) {
    for (const theme of themes) {
      await visitor.go(path)
      await visitor.set({ language, theme })
      if (ready) await ready(visitor.page)
      if (prepare) await prepare(visitor.page)
      for (const width of widths) {
        await visitor.page.setViewportSize({ width, height: 900 })
        await visitor.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
        const where = `${name}-${language}-${theme}-${width}`
        await visitor.sane(where)
        if (width !== 1024) await visitor.axe(where)
        await visitor.shot(where, true)
      }
      await visitor.page.setViewportSize({ width: 1440, height: 900 })
    }
  }
}
