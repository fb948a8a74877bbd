// A key from its making to its end, by clicking.
import { signedIn } from '../harness.mjs'

export default async function keys(browser, env) {
  const v = await signedIn(browser, env)
  const { page } = v

  // A key is made; its page is not left before the secret is stored, and afterwards it is nowhere.
  await v.go('/keys')
  await page.keyboard.press('c')
  await page.waitForURL(/\/keys\/new$/)
  const alias = `browser-${Date.now()}`
  await page.getByLabel('Alias').fill(alias)
  await page.getByLabel('Owner').fill('Kim')
  await page.getByRole('radio', { name: /Every API/ }).check()
  await page.getByRole('button', { name: 'Create key' }).click()
  await page.getByRole('heading', { name: 'Key created' }).waitFor()
  const secret = await page.getByText(/^slc_\w+$/).innerText()
  await v.axe('key created')
  await v.shot('key-created')
  await page.getByRole('link', { name: 'Requests' }).first().click()
  await page.getByRole('dialog', { name: 'Have you stored the secret?' }).waitFor()
  await v.axe('leaving the secret')
  await page.getByRole('button', { name: 'Stay here' }).click()
  await page.getByRole('button', { name: 'I stored it', exact: true }).click()
  await page.getByRole('button', { name: 'To the key' }).click()
  await page.getByRole('heading', { name: alias }).waitFor()
  const left = await page.evaluate(() =>
    JSON.stringify([document.documentElement.outerHTML, location.href, { ...localStorage }, { ...sessionStorage }]),
  )
  if (left.includes(secret)) throw new Error('the secret is still in the page, its address or its storage')
  const own = new URL(page.url()).pathname

  // Opening the edit and saving without a change sends nothing.
  let sent = 0
  page.on('request', (r) => {
    if (r.method() === 'PATCH') sent++
  })
  await page.keyboard.press('e')
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByRole('button', { name: 'Edit', exact: true }).waitFor()
  if (sent > 0) throw new Error('a save without a change sent something')

  // Its end.
  await v.go(own)
  await page.getByRole('button', { name: 'Revoke', exact: true }).click()
  const dialog = page.getByRole('dialog', { name: `Revoke ${alias}?` })
  await dialog.waitFor()
  await dialog.getByText(/in the last hour/).waitFor()
  await v.axe('revoking')
  const typed = dialog.getByLabel(/^Type /)
  if (await typed.count()) await typed.fill(alias)
  await dialog.getByRole('button', { name: 'Revoke', exact: true }).click()
  await page.getByText('This key was revoked.', { exact: false }).waitFor()
  await v.close()
}
