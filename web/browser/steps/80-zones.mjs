// Time zones: what pages say of an instant in three of them, and that an expiry stays where it was set.
import { demand, plainProfile, signedIn } from '../harness.mjs'

/** What clocks show of 1 March 2031, 22:30:00 UTC; and what they mean by 2031-03-01T23:15. */
const zones = {
  'Asia/Seoul': { en: '2 Mar 2031, 07:30', ko: '2031. 3. 2. 07:30', means: '2031-03-01T14:15:00Z' },
  UTC: { en: '1 Mar 2031, 22:30', ko: '2031. 3. 1. 22:30', means: '2031-03-01T23:15:00Z' },
  'America/Los_Angeles': { en: '1 Mar 2031, 14:30', ko: '2031. 3. 1. 14:30', means: '2031-03-02T07:15:00Z' },
}

export default async function zonesOf(browser, env) {
  for (const [timezoneId, want] of Object.entries(zones)) {
    const v = await signedIn(browser, env, { timezoneId })
    const { page } = v
    await plainProfile(page)
    const alias = `${timezoneId} ${Date.now()}`
    const key = (await demand(page, 'POST', '/keys', { alias, rights: [{ api: '*' }], expiresAt: '2031-03-01T22:30:00Z' })).object
    await v.go(`/keys/${key.id}`)
    await page.getByText(want.en).first().waitFor()
    await v.dress({ language: 'ko' })
    await page.getByText(want.ko).first().waitFor()
    await v.dress({ language: 'en' })

    // Every instant that a page names in full is that of this zone.
    let seen = 0
    for (const path of ['/', '/apis', '/keys', '/requests', '/gateways', '/revisions']) {
      await v.go(path)
      const times = await page
        .locator('time[datetime]')
        .evaluateAll((all) => all.map((e) => [e.dateTime, e.title || e.textContent]))
      for (const [at, said] of times) {
        if (!/\d\d:\d\d/.test(said)) continue
        seen++
        const clock = new Intl.DateTimeFormat('en-GB', {
          timeZone: timezoneId,
          hour: '2-digit',
          minute: '2-digit',
          hourCycle: 'h23',
        })
        if (!said.includes(clock.format(new Date(at)))) v.faults.push(`${path} in ${timezoneId} says ${said} of ${at}`)
      }
    }
    if (seen === 0) v.faults.push(`no page names an instant in ${timezoneId}`)

    // Set by this zone's clocks; then two more savings of something else leave it, to the letter.
    const expiry = async () => (await demand(page, 'GET', `/keys/${key.id}`)).expiresAt
    const save = async (change) => {
      await page.keyboard.press('e')
      await change()
      await page.getByRole('button', { name: 'Save', exact: true }).click()
      await page.getByRole('button', { name: 'Save', exact: true }).waitFor({ state: 'hidden' })
    }
    await v.go(`/keys/${key.id}`)
    await page.getByRole('button', { name: 'Edit', exact: true }).waitFor()
    await save(async () => {
      await page.getByRole('radio', { name: 'On a date' }).check()
      await page.locator('input[type="datetime-local"]').fill('2031-03-01T23:15')
    })
    const first = await expiry()
    if (Date.parse(first) !== Date.parse(want.means)) v.faults.push(`${timezoneId}: the expiry was stored as ${first}`)
    for (const owner of ['Kim', 'Lee']) {
      await save(() => page.getByLabel(/^Owner/).fill(owner))
      const now = await expiry()
      if (now !== first) v.faults.push(`${timezoneId}: saving moved the expiry from ${first} to ${now}`)
    }
    await v.close()
  }
}
