// The frame and the profile.
import { signedIn, Visitor } from '../harness.mjs'

export default async function frame(browser, env) {
  const v = await signedIn(browser, env)
  const { page } = v
  await page.getByRole('navigation', { name: 'Main navigation' }).waitFor()

  // The palette: opened by its keys, found by a part of a word, gone to by Enter; the heading then has the focus.
  await v.go('/')
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox', { name: /Jump to a page/ }).fill('prof')
  await page.getByRole('option', { name: 'Profile' }).waitFor()
  await v.axe('palette')
  await v.shot('palette')
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/me$/)
  await page.waitForFunction(() => document.activeElement?.tagName === 'H1')
  await page.keyboard.press('g')
  await page.keyboard.press('o')
  await page.waitForURL((u) => u.pathname === '/')
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
  await v.axe('help')
  await v.shot('help')
  await page.keyboard.press('Escape')

  // A change that is not saved keeps one from leaving by mistake.
  await v.go('/me')
  await page.getByLabel('Name', { exact: true }).fill('Kim 김민수')
  await page.getByRole('navigation', { name: 'Main navigation' }).getByRole('link', { name: 'Overview' }).click()
  await page.getByRole('dialog', { name: 'Leave without saving?' }).waitFor()
  await v.axe('leaving')
  await page.getByRole('button', { name: 'Stay here' }).click()
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByText('Saved', { exact: true }).waitFor()

  // Language and theme live with the user: another browser has them at once.
  await page.getByRole('radio', { name: languageOf('ko') }).check()
  await page.getByRole('heading', { name: '프로필' }).waitFor()
  await page.getByRole('radio', { name: '어둡게' }).check()
  await page.getByRole('combobox', { name: '시간대' }).selectOption({ label: 'Los Angeles' })
  await page.getByText(/현지 시각은 20\d\d\. \d+\. \d+\. \d\d:\d\d입니다/).waitFor()
  const other = await new Visitor(browser, { url: env.url, prefs: {} }).open()
  other.expectFault(/40[13]/)
  await other.go('/login')
  await other.signIn(env.login, env.newPassword)
  await other.page.getByRole('heading', { name: '개요' }).waitFor()
  if ((await other.page.evaluate(() => document.documentElement.dataset.mantineColorScheme)) !== 'dark')
    throw new Error('the theme did not follow the user')
  await other.close()
  await page.getByRole('radio', { name: '시스템 설정' }).check()
  await page.getByRole('radio', { name: /브라우저 설정/ }).check()
  await page.getByRole('heading', { name: 'Profile' }).waitFor()

  // A narrow screen has its navigation in a drawer.
  await page.setViewportSize({ width: 390, height: 800 })
  await page.getByRole('button', { name: 'Open the navigation' }).click()
  await page.getByRole('dialog').getByRole('link', { name: 'Overview' }).waitFor()
  await v.axe('drawer of the navigation')
  await v.shot('nav-drawer')
  await page.getByRole('dialog').getByRole('link', { name: 'Overview' }).click()
  await page.waitForURL((u) => u.pathname === '/')
  await page.setViewportSize({ width: 1440, height: 900 })

  await page.getByRole('button', { name: /^Account of/ }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.waitForURL(/\/login/)
  await v.close()
}

function languageOf(code) {
  return new Intl.DisplayNames([code], { type: 'language' }).of(code)
}
