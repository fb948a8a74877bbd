// Opening and saving changes nothing: real definitions, as people spell them, are opened in every form and left; keys are
// saved without a change. Not one byte moves, and nothing is sent.
import { readFileSync } from 'node:fs'
import { demand, plainProfile, send, signedIn } from '../harness.mjs'

const full = readFileSync(new URL('../../../pkg/apidef/testdata/full.json', import.meta.url), 'utf8')

/** Texts that a careless editor would rewrite: order, spaces, numbers, escapes, fields that nobody knows. */
function definitions(id, upstream) {
  return {
    [`${id}-full`]: full.replace('"orders"', `"${id}-full"`).replaceAll('/orders/', `/${id}-full/`),
    [`${id}-spelled`]: `{"listen":{"path":"/${id}-spelled/","x-n":1.0},  "name":"Spelled \\u00e9 \\/ 주문",
"id" :"${id}-spelled", "upstream":{"targets":[ {"weight":3,"url":"${upstream}"} ]},
"filters":{"auth":{"open":true}},"x-big":12345678901234567890, "x-list":[ ], "x-map":{ }}`,
    [`${id}-empty`]: `{
\t"name": "Empty parts",
\t"id": "${id}-empty",
\t"description": "",
\t"tags": [],
\t"listen": {"path": "/${id}-empty", "match": "exact", "domains": []},
\t"upstream": {"targets": [{"url": "${upstream}"}], "timeouts": {}},
\t"filters": {"auth": {"any": [{"key": {"in": [{"header": "X-Key", "scheme": "ApiKey"}]}}]}},
\t"endpoints": []
}`,
  }
}

export default async function unchanged(browser, env) {
  const v = await signedIn(browser, env)
  const { page } = v
  await plainProfile(page)
  const base = `same-${Date.now().toString(36)}`
  let sent = []
  page.on('request', (r) => {
    if (/^(PUT|PATCH|DELETE)$/.test(r.method()) || (r.method() === 'POST' && !/check|preview|availability|probe/.test(r.url())))
      sent.push(`${r.method()} ${r.url()}`)
  })

  const made = definitions(base, env.upstream)
  for (const text of Object.values(made)) await demand(page, 'POST', '/apis', text)
  for (const [id, text] of Object.entries(made)) {
    const before = await send(page, 'GET', `/apis/${id}`)
    if (!before.text.includes(text.trim())) throw new Error(`${id} is not stored as it was sent: ${before.text}`)
    sent = []
    for (const path of [`/apis/${id}`, `/apis/${id}?tab=edit`, `/apis/${id}?tab=json`]) {
      await v.go(path)
      if (path.endsWith('json')) await page.locator('.cm-content').waitFor()
      if (path.endsWith('edit')) await everyPart(page)
      await page.keyboard.press('Control+s')
      if (await page.getByRole('button', { name: 'Review' }).count()) v.faults.push(`${path}: an opened API offers a change`)
    }
    // What is changed and changed back is no change either.
    await v.go(`/apis/${id}?tab=edit`)
    const field = page.getByLabel(/^Description/).first()
    const had = await field.inputValue()
    await field.fill(`${had} more`)
    await page.getByRole('button', { name: 'Review' }).waitFor()
    await field.fill(had)
    await page.getByRole('button', { name: 'Review' }).waitFor({ state: 'hidden' })
    const after = await send(page, 'GET', `/apis/${id}`)
    if (after.text !== before.text || after.etag !== before.etag) v.faults.push(`${id} was changed by being opened`)
    if (sent.length > 0) v.faults.push(`${id}: ${sent.join(', ')}`)
  }

  const keys = [
    { alias: `${base} bare`, rights: [{ api: '*' }] },
    {
      alias: `${base} full`,
      owner: 'Kim 김',
      tags: ['a'],
      rights: [{ api: `${base}-empty` }],
      metadata: { plan: 'gold' },
      expiresAt: '2031-03-01T22:30:00.123Z',
    },
    { alias: `${base} never`, rights: [{ api: `${base}-full` }], expiresAt: null },
  ]
  for (const body of keys) {
    const { id } = (await demand(page, 'POST', '/keys', body)).object
    const before = await send(page, 'GET', `/keys/${id}`)
    sent = []
    await v.go(`/keys/${id}`)
    await page.getByRole('heading', { name: body.alias }).waitFor()
    await page.keyboard.press('e')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByRole('button', { name: 'Save', exact: true }).waitFor({ state: 'hidden' })
    const after = await send(page, 'GET', `/keys/${id}`)
    if (after.text !== before.text || after.etag !== before.etag)
      v.faults.push(`the key ${body.alias} was changed by being saved`)
    if (sent.length > 0) v.faults.push(`the key ${body.alias}: ${sent.join(', ')}`)
    sent = []
    const { etag } = after
    await demand(page, 'POST', `/keys/${id}/revoke`, undefined, etag)
  }
  for (const id of Object.keys(made)) await demand(page, 'DELETE', `/apis/${id}`, undefined, '*')
  await v.close()
}

/** Opens what is folded in the form, so that every field is there, and leaves each. */
async function everyPart(page) {
  await page
    .getByLabel(/Listen path/)
    .first()
    .waitFor()
  for (const fold of await page.locator('main details:not([open]) > summary').all()) await fold.click()
  for (const button of await page.locator('main button[aria-expanded="false"]').all()) {
    if (await button.isVisible()) await button.click()
    await page.keyboard.press('Escape')
  }
  const fields = page.locator('main input:not([type=radio], [type=checkbox]):visible, main textarea:visible')
  for (const field of (await fields.all()).slice(0, 40)) {
    if (!(await field.isVisible())) continue
    await field.focus()
    await page.keyboard.press('Tab')
  }
}
