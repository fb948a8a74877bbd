import '@mantine/core/styles/Popover.css'
import '@mantine/core/styles/Menu.css'
import { Menu as Kit } from '@mantine/core'
import { Fragment, type ReactElement, type ReactNode } from 'react'
import { cx, type Icon } from './cx'
import css from './Floating.module.css'
import { CheckIcon } from './icons'

export interface MenuItem {
  label: string
  icon?: Icon
  onSelect: () => void
  /** It cannot be undone or ends something. */
  danger?: boolean
  /** Why it cannot be chosen now. */
  disabled?: string
  /** One of a group of which one is chosen. */
  checked?: boolean
}

/** A button's menu. `groups` are divided by lines. */
export function Menu({
  target,
  head,
  groups,
  width,
}: {
  target: ReactElement
  head?: ReactNode
  groups: MenuItem[][]
  width?: number
}) {
  return (
    <Kit
      classNames={{ dropdown: css.panel }}
      position="bottom-end"
      offset={6}
      width={width}
      transitionProps={{ duration: 100 }}
      withinPortal
    >
      <Kit.Target>{target}</Kit.Target>
      <Kit.Dropdown>
        {head && <div className={css.head}>{head}</div>}
        {groups.map((items, i) => (
          <Fragment key={items.map((x) => x.label).join()}>
            {i > 0 && <hr className={css.divider} />}
            {items.map((item) => {
              const Glyph = item.checked ? CheckIcon : item.icon
              return (
                <Kit.Item
                  key={item.label}
                  className={cx(css.item)}
                  data-danger={item.danger || undefined}
                  disabled={Boolean(item.disabled)}
                  role={item.checked === undefined ? undefined : 'menuitemradio'}
                  aria-checked={item.checked}
                  onClick={item.onSelect}
                >
                  <MenuLine glyph={Glyph} label={item.label} note={item.disabled} indent={item.checked !== undefined} />
                </Kit.Item>
              )
            })}
          </Fragment>
        ))}
      </Kit.Dropdown>
    </Kit>
  )
}

function MenuLine({ glyph: Glyph, label, note, indent }: { glyph?: Icon; label: string; note?: string; indent: boolean }) {
  return (
    <span className={css.line}>
      {Glyph ? <Glyph size={16} stroke={1.7} aria-hidden /> : indent && <span className={css.blank} />}
      <span>
        {label}
        {note && <span className={cx('muted', 'small', css.note)}>{note}</span>}
      </span>
    </span>
  )
}
