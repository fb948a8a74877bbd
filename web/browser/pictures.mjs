// Takes the pictures of the README on a platform of its own: `make build`, then `node browser/pictures.mjs [folder]`.
// Each is one language and theme at 1440 px: what runs, an API that has just gone live, and one request that failed.
import { fileURLToPath } from 'node:url'
import { openBrowser, Visitor } from './harness.mjs'
import { stage } from './stage.mjs'

const folder = process.argv[2] ?? fileURLToPath(new URL('../pictures/', import.meta.url))

/** What runs: enough calls for a rate, and the list of the latest. */
async function overview(v, platform) {
  await v.set({ language: 'en', theme: 'light' })
  await platform.traffic(6, 400)
  await v.go('/')
  await v.page.getByText('The records of calls arrive').waitFor()
  await v.shot('overview')
}

/** An API from its form to the answer of a gateway, in Korean. */
async function created(v, platform) {
  await v.set({ language: 'ko', theme: 'dark' })
  const { page } = v
  await v.go('/apis/new')
  await page.getByLabel(/^이름/).fill('주문 내역')
  await page.getByLabel(/^업스트림 URL/).fill(platform.upstream)
  await page
    .getByLabel(/^리슨 경로/)
    .first()
    .fill('/order-history/')
  await page.keyboard.press('Tab')
  await page.getByText('사용할 수 있음', { exact: true }).waitFor()
  await page.getByRole('button', { name: /만들고 적용/ }).click()
  await page.getByText(/게이트웨이 3\/3에 적용됨/).waitFor()
  await page.getByRole('button', { name: '이 API의 키 만들기' }).click()
  await page.getByText(/키의 비밀값입니다/).waitFor()
  await page.getByRole('button', { name: '실행', exact: true }).click()
  await page.getByRole('region', { name: '응답' }).waitFor()
  await page.evaluate(() => window.scrollTo(0, 0))
  await v.shot('created')
}

/** One request that failed, over the list of all. */
async function request(v, platform) {
  await v.set({ language: 'en', theme: 'light' })
  await platform.traffic(2)
  await v.go('/requests?q=status%3A5xx')
  await v.page.getByText('/payments/refund').first().waitFor()
  await v.go('/requests')
  // The link of a row covers it; what is clicked is the row's own place for it.
  await v.page.getByRole('row').filter({ hasText: '/payments/refund' }).first().getByRole('link').click({ force: true })
  await v.page.getByText(/of which \d+% was spent/).waitFor()
  await v.shot('request')
}

const platform = await stage()
const browser = await openBrowser()
try {
  await platform.traffic(14, 250)
  const v = new Visitor(browser, { url: platform.url, shots: folder, prefs: { language: 'en', theme: 'light' } })
  await v.open()
  v.expectFault(/session.*40[13]|40[13].*session/)
  await v.go('/login')
  await v.signIn(platform.login, platform.password)
  await v.page.getByRole('heading', { name: 'Overview' }).waitFor()
  await overview(v, platform)
  await request(v, platform)
  await created(v, platform)
  await v.close()
} finally {
  await browser.close()
  await platform.end()
}
