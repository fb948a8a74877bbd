// Every part of src/ui in every state, by a build that has the page of them all; it needs no dashboard.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, preview } from 'vite'
import { everywhere, Visitor } from '../harness.mjs'

const root = new URL('../..', import.meta.url).pathname

export default async function components(browser, env) {
  const outDir = mkdtempSync(join(tmpdir(), 'sluice-ui-'))
  let server
  try {
    await build({ root, mode: 'gallery', logLevel: 'silent', build: { outDir, emptyOutDir: true } })
    server = await preview({
      root,
      mode: 'gallery',
      logLevel: 'silent',
      build: { outDir },
      preview: { port: 0, strictPort: false },
    })
    const address = server.httpServer.address()
    const v = await new Visitor(browser, { url: `http://127.0.0.1:${address.port}`, shots: env.shots }).open()
    await v.go('/__ui')
    await everywhere(v, '/__ui', 'ui', {
      ready: (page) =>
        page.waitForFunction(
          () => document.querySelector('.cm-editor') || [...document.querySelectorAll('div')].some((d) => d.shadowRoot),
        ),
    })
    await layers(v)
    await v.close()
  } finally {
    await server?.close()
    rmSync(outDir, { recursive: true })
  }
}

/** What opens: each layer takes the focus, is found without fault, closes with Escape and gives the focus back. */
async function layers(v) {
  const { page } = v
  await v.set({ language: 'en', theme: 'light' })
  for (const name of ['Dialog', 'Drawer', 'Confirm', 'Palette']) {
    const button = page.getByRole('button', { name, exact: true })
    await button.click()
    await page.getByRole('dialog').waitFor()
    await page.waitForFunction(() => document.activeElement?.closest('[role="dialog"]'))
    await v.axe(`open ${name}`)
    await v.shot(`ui-open-${name}`)
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    await page.waitForFunction((n) => document.activeElement?.textContent === n, name)
  }
  await page.getByRole('button', { name: 'Menu', exact: true }).click()
  await page.getByRole('menu').waitFor()
  await v.axe('open Menu')
  await v.shot('ui-open-menu')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Escape')
  await page.getByRole('menu').waitFor({ state: 'hidden' })
  await page.getByRole('button', { name: 'Toast', exact: true }).click()
  await page.getByRole('button', { name: 'Undo' }).waitFor()
  await v.axe('a toast')

  // The table by keys: down, the end, which is fetched into the page by then, and open.
  const table = page.getByRole('table', { name: 'APIs' })
  await table.getByRole('link').first().focus()
  await page.keyboard.press('j')
  await page.keyboard.press('ArrowDown')
  if ((await page.evaluate(() => document.activeElement.closest('[data-row]')?.dataset.row)) !== '2')
    throw new Error('j and the arrow do not move by a row each')
  await page.keyboard.press('End')
  await page.waitForFunction(() => document.activeElement?.closest('[data-row]')?.dataset.row === '399')
  await page.keyboard.press('Enter')
  await page.waitForURL(/open=/)
}
