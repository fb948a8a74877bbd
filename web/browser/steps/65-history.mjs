// History: differences in sentences, any two revisions compared, the way back for all and for one object, and what is
// refused. The API of the dashboard proves what happened.
import { demand, everywhere, signedIn } from '../harness.mjs'

const prefix = 'browser-history'

function definition(id, name, path, more = {}) {
  return {
    id,
    name,
    listen: { path },
    upstream: { targets: [{ url: 'http://127.0.0.1:9' }] },
    filters: { auth: { open: true } },
    ...more,
  }
}

export default async function history(browser, env) {
  const v = await signedIn(browser, env)
  const { page } = v
  const read = async (id) => (await demand(page, 'GET', `/apis/${id}`)).object
  /** An address in both languages and themes, and then as the step reads it. */
  const look = async (path, name, how) => {
    await everywhere(v, path, name, how)
    await v.dress({ language: 'en', theme: 'light' })
  }
  const wait = (text) => page.getByText(text).first().waitFor()
  const [shop, stock] = [`${prefix}-shop`, `${prefix}-stock`]

  // Two APIs in one revision, then one of them changes twice, and a third comes.
  const apis = [definition(shop, 'History shop', `/${shop}/`), definition(stock, 'History stock', `/${stock}/`)]
  const first = await demand(page, 'POST', '/changes', {
    note: 'history begins',
    changes: apis.map((object) => ({ kind: 'api', action: 'put', object })),
  })
  const headers = { responseHeaders: { set: { 'X-Shop': 'open' } } }
  await demand(page, 'PATCH', `/apis/${shop}?note=narrower`, { filters: headers, tags: ['narrow'] }, '*')
  await demand(page, 'PATCH', `/apis/${shop}?note=elsewhere`, { upstream: { timeouts: { connect: '2s' } } }, '*')
  const last = await demand(page, 'PATCH', `/apis/${stock}?note=renamed`, { name: 'History stock 2' }, '*')

  // The list finds by note, author and name; the address keeps it.
  await v.go('/revisions')
  await page.getByRole('searchbox', { name: 'Search note, author, object' }).fill('narrower')
  await page.waitForURL(/\?q=narrower/)
  await page.getByRole('link', { name: String(first.revision + 1), exact: true }).waitFor()
  await page.getByRole('link', { name: String(last.revision), exact: true }).waitFor({ state: 'detached' })
  await look('/revisions?q=history', 'revisions-search', { crosswise: true, ready: () => wait('history begins') })
  await v.go('/revisions?q=nothing-is-called-so')
  await page.getByRole('button', { name: /Clear/ }).first().waitFor()
  await v.axe('revisions, nothing found')
  await v.shot('revisions-nothing-found')

  // A revision in sentences.
  await v.go(`/revisions/${first.revision + 1}`)
  await wait('turned on with')
  await look(`/revisions/${first.revision + 1}`, 'revision-sentences', {
    crosswise: true,
    ready: (p) => p.locator('ins').first().waitFor(),
  })

  // Any two, by their address, and the other way round.
  await v.go(`/revisions/${first.revision}`)
  await page.getByRole('link', { name: 'Compare with newest' }).click()
  await page.getByRole('heading', { name: `Revision ${first.revision} to ${last.revision}` }).waitFor()
  await page.getByRole('heading', { name: 'Changed API History shop' }).waitFor()
  await page.getByRole('heading', { name: 'Changed API History stock 2' }).waitFor()
  await look(`/revisions/${first.revision}..${last.revision}`, 'revisions-compare', {
    ready: (p) => p.locator('ins').first().waitFor(),
  })
  await page.getByRole('tab', { name: 'JSON diff' }).first().click()
  await wait('"connect": "2s"')
  await page.getByRole('link', { name: 'Other way round' }).click()
  await page.getByRole('heading', { name: `Revision ${last.revision} to ${first.revision}` }).waitFor()
  await v.go(`/revisions/${last.revision}..${last.revision}`)
  await wait('Nothing differs')
  await v.axe('compare, nothing')
  v.expectFault(/404/)
  await v.go(`/revisions/1..9999999`)
  await wait('There is no such revision.')

  // One object goes back; the other stays as it is.
  const dialog = page.getByRole('dialog', { name: `Roll back to revision ${first.revision}` })
  const begin = async () => {
    await v.go(`/revisions/${first.revision}`)
    await page.getByRole('button', { name: 'Roll back to here' }).click()
    await dialog
      .getByText(/objects? go back|objects? goes? back|changes/)
      .first()
      .waitFor()
  }
  await begin()
  await dialog
    .getByText(/Changed since by/)
    .first()
    .waitFor()
  await dialog.getByRole('checkbox', { name: 'API History stock changes' }).uncheck()
  await dialog.getByRole('checkbox', { name: '1 of 2 objects go back' }).waitFor()
  await v.axe('roll back')
  for (const [language, theme, width] of [
    ['en', 'light', 1440],
    ['ko', 'dark', 1024],
    ['ko', 'light', 390],
    ['en', 'dark', 390],
  ]) {
    await v.dress({ language, theme })
    await page.setViewportSize({ width, height: 900 })
    await v.drawn()
    await v.sane(`roll back, ${language} ${theme} ${width}`)
    await v.axe(`roll back, ${language} ${theme} ${width}`)
    await v.shot(`roll-back-${language}-${theme}-${width}`)
  }
  await page.setViewportSize({ width: 1440, height: 900 })
  await v.dress({ language: 'en', theme: 'light' })
  await dialog.getByRole('textbox', { name: 'Why' }).fill('the limit was too narrow')
  await dialog.getByRole('button', { name: 'Roll back', exact: true }).click()
  await page.getByRole('heading', { name: `Revision ${last.revision + 1}`, exact: true }).waitFor()
  await page.getByText(/Live on 3\/3 gateways/).waitFor()
  await wait('the limit was too narrow')
  await v.axe('rolled back')
  await v.shot('rolled-back', true)
  const back = await read(shop)
  if (back.filters.responseHeaders || back.upstream.timeouts || (await read(stock)).name !== 'History stock 2')
    throw new Error(`one object was to go back: ${JSON.stringify(back)}`)

  // What another one has taken meanwhile cannot come back: said at the object, and nothing changes.
  await demand(page, 'PATCH', `/apis/${shop}?note=moved`, { listen: { path: `/${shop}-2/` } }, '*')
  const thief = await demand(page, 'POST', '/apis', definition(`${prefix}-thief`, 'History thief', `/${shop}/`))
  v.expectFault(/409/)
  const earlier = first.revision + 2
  await v.go(`/revisions/${earlier}`)
  await page.getByRole('button', { name: 'Roll back to here' }).click()
  const refused = page.getByRole('dialog', { name: `Roll back to revision ${earlier}` })
  await refused.getByRole('checkbox', { name: /History thief/ }).uncheck()
  await refused.getByText('This cannot come back as it was. Nothing was changed.').waitFor()
  await refused
    .getByText(/History thief/)
    .nth(1)
    .waitFor()
  await v.axe('roll back refused')
  await v.shot('roll-back-refused')
  await v.dress({ language: 'ko', theme: 'dark' })
  await v.sane('roll back refused, ko')
  await v.shot('roll-back-refused-ko-dark')
  await v.dress({ language: 'en', theme: 'light' })
  const newest = (await demand(page, 'GET', '/publishing')).revision
  if (newest !== thief.revision) throw new Error(`a refused roll back made revision ${newest}`)
  if ((await read(shop)).listen.path !== `/${shop}-2/`) throw new Error('a refused roll back changed an API')

  // All of them: the thief goes, the others come back, as one revision.
  await begin()
  await dialog.getByRole('checkbox', { name: 'API History thief is deleted' }).waitFor()
  await dialog.getByRole('textbox', { name: 'Why' }).fill('all of it')
  await page.waitForFunction(() =>
    [...document.querySelectorAll('[role=dialog] button[type=submit]')].some((b) => b.getAttribute('aria-disabled') !== 'true'),
  )
  await v.shot('roll-back-all')
  await dialog.getByRole('button', { name: 'Roll back', exact: true }).click()
  await page.getByRole('heading', { name: `Revision ${newest + 1}`, exact: true }).waitFor()
  await page.getByText(/Live on 3\/3 gateways/).waitFor()
  if ((await read(shop)).listen.path !== `/${shop}/` || (await read(stock)).name !== 'History stock')
    throw new Error('not everything went back')
  await v.go(`/revisions/${first.revision}`)
  await page.getByRole('button', { name: 'Roll back to here' }).click()
  await dialog.getByText('Nothing to roll back').waitFor()
  await v.axe('nothing to roll back')
  await v.shot('roll-back-nothing')

  for (const id of [shop, stock]) await demand(page, 'DELETE', `/apis/${id}`, undefined, '*')
  await v.close()
}
