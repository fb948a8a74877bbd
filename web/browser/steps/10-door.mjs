// Signing in: mistakes, the lock-out with its time, the change of the one-time password, the way back to where one was going.
import { everywhere, Visitor } from '../harness.mjs'

export default async function door(browser, env) {
  const v = await new Visitor(browser, { url: env.url, shots: env.shots, prefs: { language: 'en', theme: 'light' } }).open()
  const { page } = v
  v.expectFault(/status of 40[13]|status of 42[29]/)
  await v.go('/login')
  await everywhere(v, '/login', 'login')
  await v.set({ language: 'en', theme: 'light' })

  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('Enter your login.').waitFor()
  if ((await page.evaluate(() => document.activeElement?.getAttribute('autocomplete'))) !== 'username')
    throw new Error('the focus is not in the first empty field')
  await v.axe('login, empty fields')

  await v.signIn('nobody', 'wrong password')
  await page.getByText('The login or the password is wrong.').waitFor()
  await page.getByText('Code auth.invalid').waitFor()
  await v.axe('login, refused')
  for (let i = 0; i < 5; i++) {
    await page.getByLabel('Password', { exact: true }).fill('wrong password')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.waitForFunction(() => document.querySelector('button[type=submit]')?.getAttribute('aria-busy') !== 'true')
  }
  await page.getByText(/Too many failed sign-ins\. You can try again in \d/).waitFor()
  await v.axe('login, locked')
  await v.shot('login-locked')
  await page.getByText('You can try again now.').waitFor({ timeout: 15_000 })

  // A page that needs somebody leads here and back.
  await v.go('/me?x=1')
  await page.waitForURL(/\/login\?next=/)
  await v.signIn(env.login, env.password)
  await page.getByRole('heading', { name: 'Choose a new password' }).waitFor()
  await v.axe('first password')
  await v.shot('first-password')
  await page.getByLabel('One-time password').fill('not this one')
  await page.getByLabel('New password', { exact: true }).fill('short')
  await page.getByLabel('New password, again').fill('other')
  await page.getByRole('button', { name: 'Set the password' }).click()
  await page.getByText('Use at least 12 characters.').waitFor()
  await page.getByText('The two passwords differ.').waitFor()
  await page.getByLabel('New password', { exact: true }).fill(env.newPassword)
  await page.getByLabel('New password, again').fill(env.newPassword)
  await page.getByRole('button', { name: 'Set the password' }).click()
  await page.getByText('The password is wrong. Type the present one.').waitFor()
  await v.shot('first-password-refused')
  await page.getByLabel('One-time password').fill(env.password)
  await page.getByRole('button', { name: 'Set the password' }).click()
  await page.waitForURL(/\/me\?x=1$/)
  await page.getByRole('heading', { name: 'Profile' }).waitFor()
  await v.close()
}
