// Overview, gateways and revisions: what a change does to them without a reload, in every language, theme and width.
import { everywhere, Visitor } from '../harness.mjs'

export default async function fleet(browser, env) {
  const v = await new Visitor(browser, { url: env.url, shots: env.shots, prefs: { language: 'en', theme: 'light' } }).open()
  const { page } = v
  v.expectFault(/session.*40[13]|40[13].*session/)
  v.expectFault(/404.*(gateways\/none|revisions\/999999)/)
  await v.go('/login')
  await v.signIn(env.login, env.newPassword)
  await page.getByRole('heading', { name: 'Overview' }).waitFor()

  // Of its own name, so that the step can run again on the same platform.
  const id = `fleet-${Date.now().toString(36)}`

  // A change elsewhere shows by itself: the list of changes, the revision of every gateway, its confirmation.
  await page.getByText('Health', { exact: true }).waitFor()
  const made = await write(page, 'POST', '/apis?note=made+in+a+browser+test', {
    id,
    name: 'Fleet test',
    listen: { path: `/${id}/` },
    upstream: { targets: [{ url: env.upstream ?? 'http://127.0.0.1:9' }] },
    filters: { auth: { open: true } },
  })
  await page.getByRole('link', { name: `Created API ${id}` }).waitFor()
  await page.getByRole('link', { name: `Created API ${id}` }).click()
  await page.getByRole('heading', { name: `Revision ${made.revision}` }).waitFor()
  await page
    .getByText(/live after \d/)
    .first()
    .waitFor({ state: 'attached' })
  await page.getByText(`/${id}/`, { exact: true }).waitFor()

  const changed = await write(page, 'PATCH', `/apis/${id}`, { name: 'Fleet test 2', tags: ['browser'] }, made.meta.etag)
  await page.getByRole('link', { name: 'Newer' }).click()
  await page.getByRole('heading', { name: `Revision ${changed.revision}` }).waitFor()
  await page.locator('del', { hasText: 'Fleet test' }).waitFor()
  await page.getByRole('tab', { name: 'JSON diff' }).click()
  await page.getByText('"name": "Fleet test 2"').waitFor()
  if (!page.url().includes('view=diff')) throw new Error('the view is not in the address')
  await page.getByRole('link', { name: 'History' }).click()
  await page.getByText(`Only revisions that changed the API ${id}`).waitFor()
  await page.getByRole('link', { name: String(made.revision), exact: true }).waitFor()

  await v.go('/gateways')
  await page.getByText(new RegExp(`/\\d+ on revision ${changed.revision}`)).waitFor()
  await page.getByRole('table', { name: 'Gateways' }).getByRole('link').first().click()
  await page.getByText('Runs revision').waitFor()
  const one = new URL(page.url()).pathname

  const settled = (text) => ({ ready: (p) => p.getByText(text).first().waitFor() })
  await everywhere(v, '/', 'overview-full', settled(id))
  await everywhere(v, '/gateways', 'gateways', settled(/gateway-?1|gw-?1/))
  await everywhere(v, one, 'gateway', settled('Redis'))
  await everywhere(v, '/gateways/none', 'gateway-unknown')
  await everywhere(v, '/revisions', 'revisions', settled(id))
  await everywhere(v, `/revisions/${changed.revision}`, 'revision', settled('Fleet test 2'))
  await everywhere(v, `/revisions/${changed.revision}?view=diff`, 'revision-diff', settled(/"Fleet test 2"/))
  await everywhere(v, '/revisions/999999', 'revision-unknown')
  await v.set({ language: 'en', theme: 'light' })
  await write(page, 'DELETE', `/apis/${id}`, undefined, changed.meta.etag)
  await v.close()
}

/** Writes as the page's own session would. */
async function write(page, method, path, body, etag) {
  return page.evaluate(
    async ([method, path, body, etag]) => {
      const session = await (await fetch('/api/v1/session')).json()
      const answer = await fetch(`/api/v1${path}`, {
        method,
        headers: {
          'X-CSRF-Token': session.csrf,
          ...(body && { 'Content-Type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' }),
          ...(etag && { 'If-Match': etag }),
        },
        body: body && JSON.stringify(body),
      })
      const document = await answer.json()
      if (!answer.ok) throw new Error(JSON.stringify(document))
      return document
    },
    [method, path, body, etag],
  )
}
