import { Fragment } from 'react'
import { useI18n } from '../i18n'
import { usePrefs } from '../prefs'
import { pages } from '../routes'
import { Dialog } from '../ui/Overlay'
import { Notice } from '../ui/States'
import { modKey } from '../ui/shortcuts'
import css from './Shell.module.css'

/** What the keys do. */
export function ShortcutHelp({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { t } = useI18n()
  const { shortcuts } = usePrefs()
  const rows: [string[], string][] = [
    [[modKey(), 'K'], t('shell.keysPalette')],
    [['/'], t('shell.keysSearch')],
    [['j', 'k'], t('shell.keysList')],
    [['↵'], t('shell.keysOpen')],
    [['c'], t('shell.keysCreate')],
    [['e'], t('shell.keysEdit')],
    ...pages.filter((p) => p.go).map((p): [string[], string] => [['g', p.go ?? ''], t('shell.goTo', { page: t(p.title) })]),
    [['?'], t('shell.keysHelp')],
  ]
  return (
    <Dialog open={open} onClose={onClose} title={t('shell.keys')} width={440}>
      {!shortcuts && <Notice>{t('shell.keysOff')}</Notice>}
      <dl className={css.keys}>
        {rows.map(([keys, what]) => (
          <Fragment key={what}>
            <dt>
              {keys.map((k) => (
                <kbd key={k}>{k}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </Fragment>
        ))}
      </dl>
    </Dialog>
  )
}
