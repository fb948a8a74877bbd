import '@mantine/core/styles/ModalBase.css'
import '@mantine/core/styles/Overlay.css'
import '@mantine/core/styles/Paper.css'
import '@mantine/core/styles/Modal.css'
import '@mantine/core/styles/Drawer.css'
import { Drawer as KitDrawer, Modal as KitModal } from '@mantine/core'
import { type ReactNode, useEffect, useState } from 'react'
import { useI18n } from '../../i18n'
import { IconButton } from '../Button'
import { cx } from '../cx'
import { CloseIcon } from '../icons'
import type { OverlayProps } from '../Overlay'
import css from '../Overlay.module.css'
import { Kit } from './Kit'

let locks = 0

/** Opens one moment after it is there: the kit gives the focus back to what had it when it opened, not when it came. */
function useOpened(open: boolean): boolean {
  const [opened, setOpened] = useState(false)
  useEffect(() => setOpened(open), [open])
  return opened
}

/** Keeps the page behind from scrolling. By an attribute, since the kit's own way writes a style element. */
function useScrollLock(open: boolean): void {
  useEffect(() => {
    if (!open) return
    locks++
    document.documentElement.dataset.locked = ''
    return () => {
      locks--
      if (locks === 0) delete document.documentElement.dataset.locked
    }
  }, [open])
}

function Inside({ title, onClose, children, foot }: Pick<OverlayProps, 'title' | 'onClose' | 'children' | 'foot'>) {
  const { t } = useI18n()
  return (
    <>
      <div className={css.head}>
        <h2>{title}</h2>
        <IconButton icon={CloseIcon} label={t('ui.close')} onClick={onClose} bare small />
      </div>
      <div className={css.body}>{children}</div>
      {foot && <div className={css.foot}>{foot}</div>}
    </>
  )
}

/** The kit's dialog with our look. */
export function DialogLayer({ open, onClose, title, children, foot, width = 480 }: OverlayProps) {
  useScrollLock(open)
  const opened = useOpened(open)
  return (
    <Kit>
      <KitModal.Root
        opened={opened}
        onClose={onClose}
        size={width}
        lockScroll={false}
        classNames={{ content: cx(css.content, css.dialog), overlay: css.veil }}
        centered
        transitionProps={{ duration: 120, transition: 'pop' }}
      >
        <KitModal.Overlay />
        <KitModal.Content aria-label={title}>
          <Inside title={title} onClose={onClose} foot={foot}>
            {children}
          </Inside>
        </KitModal.Content>
      </KitModal.Root>
    </Kit>
  )
}

/** The kit's drawer with our look. */
export function DrawerLayer({
  open,
  onClose,
  title,
  children,
  foot,
  width = 560,
  side = 'right',
}: OverlayProps & { side?: 'left' | 'right' }) {
  useScrollLock(open)
  const opened = useOpened(open)
  return (
    <Kit>
      <KitDrawer.Root
        opened={opened}
        onClose={onClose}
        position={side}
        size={width}
        lockScroll={false}
        classNames={{ content: cx(css.content, css.drawer), overlay: css.veil }}
        transitionProps={{ duration: 140 }}
      >
        <KitDrawer.Overlay />
        <KitDrawer.Content aria-label={title}>
          <Inside title={title} onClose={onClose} foot={foot}>
            {children}
          </Inside>
        </KitDrawer.Content>
      </KitDrawer.Root>
    </Kit>
  )
}

/** A dialog without a head, for the palette. */
export function BareLayer({
  open,
  onClose,
  label,
  className,
  children,
}: {
  open: boolean
  onClose: () => void
  label: string
  className?: string
  children: ReactNode
}) {
  useScrollLock(open)
  const opened = useOpened(open)
  return (
    <Kit>
      <KitModal.Root
        opened={opened}
        onClose={onClose}
        size={600}
        yOffset="12vh"
        lockScroll={false}
        classNames={{ content: className, overlay: css.veil }}
        transitionProps={{ duration: 90 }}
      >
        <KitModal.Overlay />
        <KitModal.Content aria-label={label}>{children}</KitModal.Content>
      </KitModal.Root>
    </Kit>
  )
}
