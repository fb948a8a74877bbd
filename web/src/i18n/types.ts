/** Names of the placeholders of a text: `{name}`, `{name:이/가}`, `{count|one|many}`. */
export type Placeholders<S extends string> = S extends `${string}{${infer P}}${infer Rest}`
  ? PlaceholderName<P> | Placeholders<Rest>
  : never

type PlaceholderName<P extends string> = P extends `${infer N}:${string}` ? N : P extends `${infer N}|${string}` ? N : P

/** The Korean of an English area: the same keys, every one. */
export type Translation<Area> = { readonly [K in keyof Area]: string }

type Flat<Areas> = {
  [A in keyof Areas & string]: { [K in keyof Areas[A] & string as `${A}.${K}`]: Areas[A][K] }
}[keyof Areas & string]

type Union<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never

/** All areas in one flat object type, with keys such as `shell.signOut`. */
export type Flatten<Areas> = Union<Flat<Areas>>

export type Language = 'en' | 'ko'
