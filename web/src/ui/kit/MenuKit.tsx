import '@mantine/core/styles/Popover.css'
import '@mantine/core/styles/Menu.css'
import { Menu as KitMenu } from '@mantine/core'
import { Fragment, useEffect, useState } from 'react'
import { cx, type Icon } from '../cx'
import css from '../Floating.module.css'
import { CheckIcon } from '../icons'
import type { MenuProps } from '../Menu'
import { Kit } from './Kit'

/** The kit's menu with our look; it opens as soon as it is there, because the click that fetched it asked for that. */
export default function MenuKit({ target, head, groups, width, button }: MenuProps & { button: () => HTMLElement | null }) {
  const [open, setOpen] = useState(false)
  useEffect(() => {
    button()?.focus() // so that the kit gives the focus back to it
    setOpen(true)
  }, [button])
  return (
    <Kit>
      <KitMenu
        opened={open}
        onChange={setOpen}
        classNames={{ dropdown: css.panel }}
        position="bottom-end"
        offset={6}
        withInitialFocusPlaceholder={false}
        width={width}
        transitionProps={{ duration: 100 }}
      >
        <KitMenu.Target>{target}</KitMenu.Target>
        <KitMenu.Dropdown>
          {head && <div className={css.head}>{head}</div>}
          {groups.map((items, i) => (
            <Fragment key={items.map((x) => x.label).join()}>
              {i > 0 && <hr className={css.divider} />}
              {items.map((item) => {
                const choice = item.checked !== undefined
                return (
                  <KitMenu.Item
                    key={item.label}
                    className={css.item}
                    data-danger={item.danger || undefined}
                    disabled={Boolean(item.disabled)}
                    role={choice ? 'menuitemradio' : undefined}
                    aria-checked={item.checked}
                    onClick={item.onSelect}
                  >
                    <Line glyph={item.checked ? CheckIcon : item.icon} label={item.label} note={item.disabled} indent={choice} />
                  </KitMenu.Item>
                )
              })}
            </Fragment>
          ))}
        </KitMenu.Dropdown>
      </KitMenu>
    </Kit>
  )
}

function Line({ glyph: Glyph, label, note, indent }: { glyph?: Icon; label: string; note?: string; indent: boolean }) {
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
