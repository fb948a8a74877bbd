// One API: its forms, its text, publishing with live ticks, two people at once, deletion. The gateways prove it.
import { send, signedIn } from '../harness.mjs'

const id = 'browser-orders'

function definition(upstream) {
  return `{
  "id": "${id}",
  "name": "Browser orders",
  "description": "Everything about orders.",
  "listen": {"path": "/browser-orders/"},
  "upstream": {"targets": [{"url": "${upstream}", "weight": 3}], "timeouts": {"connect": "2s"}},
  "filters": {"auth": {"open": true}},
  "endpoints": [{"id": "one", "methods": ["GET"], "path": "/{id}", "filters": {"responseHeaders": {"set": {"X-One": "1"}}}}],
  "x-imported": {"from":   "elsewhere", "n": 1.0}
}`
}

export default async function api(browser, env) {
  const v = await signedIn(browser, env)
  const { page } = v
  v.expectFault(/404.*apis/)
  await send(page, 'DELETE', `/apis/${id}`, undefined, '*')
  const made = await send(page, 'POST', '/apis', definition(env.upstream))
  if (made.status !== 201) throw new Error(`creating: ${made.status} ${made.text}`)

  // What it is and where it runs; a gateway answers the call that is made here.
  await v.go(`/apis/${id}`)
  await page.getByText(/Live on 3\/3 gateways/).waitFor()
  await v.axe('api overview')
  await page.getByRole('button', { name: 'Run', exact: true }).click()
  await page.getByRole('region', { name: 'Answer' }).getByText('200', { exact: true }).waitFor()
  await v.shot('api-run', true)

  // A form that was opened and left changes nothing; what it cannot show is listed.
  await page.getByRole('link', { name: 'Edit' }).first().click()
  const path = page.getByLabel('Listen path', { exact: false }).first()
  await path.waitFor()
  await page.getByText('x-imported').waitFor()
  await v.axe('api edit')
  if (await page.getByRole('button', { name: 'Review' }).count()) throw new Error('an opened form offers a change')

  // A mistake is told at its field; the draft outlives a reload.
  v.expectFault(/422/)
  await page.getByRole('textbox', { name: 'URL' }).fill('nonsense')
  await page.keyboard.press('Tab')
  await page.locator('[aria-invalid="true"]').first().waitFor()
  await v.shot('api-mistake')
  await page.getByRole('textbox', { name: 'URL' }).fill(env.upstream)
  await page.getByRole('switch', { name: 'Identity, on or off' }).check()
  await page.getByLabel('Path prefix').fill('/hello')
  page.once('dialog', (d) => d.accept())
  await page.reload()
  await page.getByText('2 changes · not published').waitFor()
  await page.getByRole('button', { name: 'Review' }).click()
  await page.getByRole('dialog').getByText('Identity').waitFor()
  await page
    .getByRole('dialog')
    .getByText(/: turned on$/)
    .waitFor()
  await v.axe('api review')
  await v.shot('api-review')
  await page.getByRole('button', { name: 'Publish', exact: true }).click()
  await page
    .getByRole('region', { name: 'Published' })
    .getByText(/Live on 3\/3 gateways/)
    .waitFor()
  await v.shot('api-published')

  // Somebody else changes another place, then the same one.
  await page.getByLabel('Description').fill('Mine')
  await send(page, 'PATCH', `/apis/${id}`, '{"tags":["theirs"]}', '*')
  v.expectFault(/412/)
  await page.getByRole('button', { name: 'Review' }).click()
  await page.getByRole('button', { name: 'Publish', exact: true }).click()
  await page
    .getByRole('dialog')
    .getByText(/was brought in: 1 change/)
    .waitFor()
  await send(page, 'PATCH', `/apis/${id}`, '{"description":"Theirs"}', '*')
  await page.getByRole('button', { name: 'Publish', exact: true }).click()
  const choice = page.getByRole('dialog', { name: 'Two changes of the same thing' })
  await choice.getByRole('radio', { name: /Yours/ }).check()
  await v.axe('api conflict')
  await v.shot('api-conflict')
  await choice.getByRole('button', { name: 'Go on with this choice' }).click()
  await page.getByRole('button', { name: 'Review' }).click()
  await page.getByRole('button', { name: 'Publish', exact: true }).click()
  await page
    .getByRole('region', { name: 'Published' })
    .getByText(/Live on 3\/3 gateways/)
    .waitFor()
  const now = JSON.parse((await send(page, 'GET', `/apis/${id}`)).text).object
  if (now.description !== 'Mine' || now.tags[0] !== 'theirs') throw new Error(`merged to ${JSON.stringify(now)}`)
  const { text } = await send(page, 'GET', `/apis/${id}`)
  if (!text.includes('"x-imported": {"from":   "elsewhere", "n": 1.0}')) throw new Error('an unknown field lost its bytes')

  // A broken text is kept, marked and cannot be published.
  await page.getByRole('link', { name: 'JSON' }).click()
  const editor = page.getByRole('textbox', { name: /Definition of Browser orders/ })
  await editor.waitFor()
  await editor.click()
  await page.keyboard.press('Control+End')
  await page.keyboard.type('oops')
  await page
    .getByText(/The JSON has a mistake in line/)
    .first()
    .waitFor()
  await v.axe('api json')
  await v.shot('api-json-broken')
  await page.getByRole('link', { name: 'Edit' }).first().click()
  await page.getByText(/so the form cannot show it/).waitFor()
  await page.getByRole('button', { name: 'Discard' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click()
  await path.waitFor()

  // Deletion says what follows, and what happened; it can be taken back.
  await page.getByRole('button', { name: 'More actions for Browser orders' }).click()
  await page.getByRole('menuitem', { name: 'Delete' }).click()
  await page
    .getByRole('dialog')
    .getByText(/answers 404 on every gateway/)
    .waitFor()
  await v.axe('api delete')
  await v.shot('api-delete')
  await page
    .getByRole('dialog')
    .getByLabel(/Type Browser orders/)
    .fill('Browser orders')
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await page.getByText(/was deleted \(revision/).waitFor()
  for (const gateway of env.gateways) {
    const deadline = Date.now() + 5_000
    while ((await fetch(`${gateway}/browser-orders/hello`)).status !== 404) {
      if (Date.now() > deadline) throw new Error(`${gateway} still serves the deleted API`)
    }
  }
  await page.getByRole('button', { name: 'Undo' }).click()
  await page.getByText(/is there again/).waitFor()
  await send(page, 'DELETE', `/apis/${id}`, undefined, '*')
  await v.close()
}
