// Creating an API by clicking: every answer that the platform may give, and what the page makes of it.
import { Visitor } from '../harness.mjs'

const words = {
  en: {
    name: /^Name/,
    upstream: /^Upstream URL/,
    path: /^Listen path/,
    call: 'Path to call',
    free: 'Free',
    create: /Create and publish/,
    live: /Live on 3\/3 gateways · revision \d+ · \d/,
    none: /^None/,
    confirm: 'Confirm that everyone may call it, or choose the API key.',
    open: 'Yes, open it to everyone',
    key: 'Create key for this API',
    keyDone: /This is the key’s secret/,
    run: 'Run',
    answer: 'Answer',
    unreached: /cannot reach it/,
    taken: /has this listen path already/,
  },
  ko: {
    name: /^이름/,
    upstream: /^업스트림 URL/,
    path: /^리슨 경로/,
    call: '호출할 경로',
    free: '사용할 수 있음',
    create: /만들고 적용/,
    live: /게이트웨이 3\/3에 적용됨 · 리비전 \d+ · \d/,
    none: /^없음/,
    confirm: '누구나 호출할 수 있음을 확인하거나 API 키를 선택하십시오.',
    open: '예, 누구에게나 공개합니다',
    key: '이 API의 키 만들기',
    keyDone: /키의 비밀값입니다/,
    run: '실행',
    answer: '응답',
    unreached: /연결할 수 없습니다/,
    taken: /이미 사용합니다/,
  },
}

/** The page of one language. */
function form(page, w) {
  return {
    fill: async (name, path, url) => {
      await page.getByLabel(w.name).fill(name)
      await page.getByLabel(w.upstream).fill(url)
      await page.getByLabel(w.path).first().fill(path)
      await page.keyboard.press('Tab')
    },
    create: () => page.getByRole('button', { name: w.create }).click(),
    live: () => page.getByText(w.live).waitFor(),
    run: async () => {
      const came = page.waitForResponse((r) => r.url().endsWith('/run'))
      await page.getByRole('button', { name: w.run, exact: true }).click()
      await came
      const answer = page.locator(`section[aria-label="${w.answer}"][aria-busy="false"]`)
      await answer.waitFor()
      return answer.getByRole('status').innerText()
    },
  }
}

async function enter(v, env, language) {
  await v.go('/login?next=/apis/new')
  await v.set({ language, theme: 'light' })
  await v.signIn(env.login, env.newPassword)
  await v.page.waitForURL(/\/apis\/new/)
  await v.settle()
}

/** With a key and without one, a path that is taken and an upstream that is down. */
async function flow(v, env, language) {
  const w = words[language]
  const { page } = v
  const f = form(page, w)
  await enter(v, env, language)
  await f.fill('Create', `/create-${language}/`, env.upstream)
  await page.getByText(w.free, { exact: true }).waitFor()
  await page.reload()
  await v.settle()
  if ((await page.getByLabel(w.path).first().inputValue()) !== `/create-${language}/`)
    throw new Error('the form did not survive a refresh')
  await f.create()
  await f.live()
  if (!(await f.run()).startsWith('401')) throw new Error('without a key the answer is not 401')
  await page.getByRole('button', { name: w.key }).click()
  await page.getByText(w.keyDone).waitFor()
  await page.waitForFunction(
    () => [...document.querySelectorAll('pre')].filter((p) => p.textContent.includes('slc_')).length === 2,
  )
  if (!(await f.run()).startsWith('200')) throw new Error('with the key the answer is not 200')
  await v.axe('created')
  await v.sane('created')
  await v.shot(`created-${language}`, true)
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href]))
  if (kept.includes('slc_')) throw new Error('the secret is kept in the browser')

  await v.go('/apis/new')
  await f.fill('Taken', `/create-${language}`, 'http://127.0.0.1:1')
  await page.getByText(w.unreached).waitFor()
  await page.getByText(w.taken).waitFor()
  await f.create()
  await page.waitForFunction(() => document.activeElement?.getAttribute('name') === 'path')
  await v.axe('taken')
  await v.shot(`taken-${language}`, true)
  await page.getByLabel(w.path).first().fill(`/open-${language}/`)
  await page.getByLabel(w.upstream).fill(env.upstream)
  await page.getByRole('radio', { name: w.none }).check()
  await page.keyboard.press('Control+Enter')
  await page.getByText(w.confirm).waitFor()
  await page.getByRole('button', { name: w.open }).click()
  await page.keyboard.press('Control+Enter')
  await f.live()
  if (!(await f.run()).startsWith('200')) throw new Error('an open API does not answer 200')
}

/** Holds back what the server answers to a creation, after it arrived or before. */
async function unanswered(v, path, arrives, env) {
  const { page } = v
  const f = form(page, words.en)
  await v.go('/apis/new')
  await f.fill('Unanswered', path, env.upstream)
  await page.getByText('Free', { exact: true }).waitFor()
  let sent = 0
  const take = async (route) => {
    if (route.request().method() !== 'POST') return route.continue()
    sent++
    if (arrives) await route.fetch()
    return route.abort()
  }
  await page.route('**/api/v1/apis', take)
  await f.create()
  await page.getByText('It is not known whether the API was saved').waitFor()
  await page.keyboard.press('Control+Enter')
  await page.unroute('**/api/v1/apis', take)
  await page.reload()
  await v.settle()
  await page.getByText('It is not known whether the API was saved').waitFor()
  await v.axe('not known')
  await v.shot(`unknown-${arrives}`, true)
  await page.getByRole('button', { name: 'Look whether it was saved' }).click()
  if (arrives) await f.live()
  else {
    await page.getByText('It was not saved. You can create it now.').waitFor()
    await f.create()
    await f.live()
  }
  if (sent !== 1) throw new Error(`it was sent ${sent} times`)
}

export default async function createApi(browser, env) {
  for (const language of ['en', 'ko']) {
    const v = await new Visitor(browser, { url: env.url, shots: env.shots, prefs: { language, theme: 'light' } }).open()
    v.expectFault(/status of 40[19]|status of 422/)
    await flow(v, env, language)
    await v.close()
  }
  const v = await new Visitor(browser, { url: env.url, shots: env.shots, prefs: { language: 'en', theme: 'light' } }).open()
  v.expectFault(/status of 401|ERR_FAILED/)
  await enter(v, env, 'en')
  await unanswered(v, '/arrived/', true, env)
  await unanswered(v, '/lost/', false, env)
  await v.close()
}
