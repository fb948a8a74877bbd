// Overview, gateways and revisions: what a change does to them without a reload.
import { demand, signedIn } from '../harness.mjs'

export default async function fleet(browser, env) {
  const v = await signedIn(browser, env)
  const { page } = v
  await page.getByRole('heading', { name: 'Overview' }).waitFor()

  // Of its own name, so that the step can run again on the same platform.
  const id = `fleet-${Date.now().toString(36)}`

  // A change elsewhere shows by itself: the list of changes, the revision of every gateway, its confirmation.
  await page.getByText('Health', { exact: true }).waitFor()
  const made = await demand(page, 'POST', '/apis?note=made+in+a+browser+test', {
    id,
    name: `Fleet ${id}`,
    listen: { path: `/${id}/` },
    upstream: { targets: [{ url: env.upstream ?? 'http://127.0.0.1:9' }] },
    filters: { auth: { open: true } },
  })
  await page.getByRole('link', { name: `Created API Fleet ${id}` }).waitFor()
  await page.getByRole('link', { name: `Created API Fleet ${id}` }).click()
  await page.getByRole('heading', { name: `Revision ${made.revision}` }).waitFor()
  await page
    .getByText(/live after \d/)
    .first()
    .waitFor({ state: 'attached' })
  await page.getByText(`/${id}/`, { exact: true }).waitFor()

  const changed = await demand(page, 'PATCH', `/apis/${id}`, { name: `Fleet ${id} 2`, tags: ['browser'] }, made.meta.etag)
  await page.getByRole('link', { name: 'Newer' }).click()
  await page.getByRole('heading', { name: `Revision ${changed.revision}` }).waitFor()
  await page.locator('del', { hasText: `Fleet ${id}` }).waitFor()
  await page.getByRole('tab', { name: 'JSON diff' }).click()
  await page.getByText(`"name": "Fleet ${id} 2"`).waitFor()
  if (!page.url().includes('view=diff')) throw new Error('the view is not in the address')
  await page.getByRole('link', { name: 'History' }).click()
  await page.getByText(`Only revisions that changed the API Fleet ${id} 2`).waitFor()
  await page.getByRole('link', { name: String(made.revision), exact: true }).waitFor()

  await v.go('/gateways')
  await page.getByText(new RegExp(`/\\d+ on revision ${changed.revision}`)).waitFor()
  await page.getByRole('table', { name: 'Gateways' }).getByRole('link').first().click()
  await page.getByText('Runs revision').waitFor()
  await demand(page, 'DELETE', `/apis/${id}`, undefined, changed.meta.etag)
  await v.close()
}
