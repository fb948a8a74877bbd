import {
  cloneElement,
  lazy,
  type MouseEvent,
  type ReactElement,
  type ReactNode,
  Suspense,
  useCallback,
  useRef,
  useState,
} from 'react'
import type { Icon } from './cx'

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

export interface MenuProps {
  /** The button; it takes the properties of one. */
  target: ReactElement<Record<string, unknown>>
  /** Above the entries, such as who is signed in. */
  head?: ReactNode
  /** Divided by lines. */
  groups: MenuItem[][]
  /** Pixels; default as wide as its entries. */
  width?: number
}

const fetchKit = () => import('./kit/MenuKit')
const MenuKit = lazy(fetchKit)

/** A button's menu. Its code is fetched when the pointer or the focus comes near. */
export function Menu(props: MenuProps) {
  const [wanted, setWanted] = useState(false)
  const place = useRef<HTMLSpanElement>(null)
  const button = useCallback(() => place.current?.querySelector<HTMLElement>('button') ?? null, [])
  const closed = cloneElement(props.target, {
    'aria-haspopup': 'menu',
    'aria-expanded': false,
    onPointerEnter: () => void fetchKit(),
    onFocus: () => void fetchKit(),
    onClick: (e: MouseEvent) => {
      e.preventDefault()
      setWanted(true)
    },
  })
  return (
    <span ref={place} style={{ display: 'contents' }}>
      {wanted ? (
        <Suspense fallback={closed}>
          <MenuKit {...props} button={button} />
        </Suspense>
      ) : (
        closed
      )}
    </span>
  )
}
