// Korean particles change with the sound that the word before them ends in: 주문이, 결제를 but 주문을, orders-v1이.

/** How the digits are read in Korean, by final consonant: none, ㄹ, or another. */
const digits = ['other', 'l', 'none', 'other', 'none', 'none', 'other', 'l', 'l', 'none'] as const // 영 일 이 삼 사 오 육 칠 팔 구

type Final = 'none' | 'l' | 'other'

/** Letters whose Korean names end in a consonant: 엘, 엠, 엔, 알. */
function letter(c: string): Final {
  if (c === 'l' || c === 'r') return 'l'
  return c === 'm' || c === 'n' ? 'other' : 'none'
}

/** How an English word ends in Korean ears: a written guess from its last letters, good enough for names of things. */
function word(w: string): Final {
  if (w.length === 1) return letter(w)
  if (/[^a-z]/.test(w) || w.length <= 3) {
    if (w.length <= 3 && !/[aeiouy]/.test(w)) return letter(w.at(-1) as string) // URL, JWT: read letter by letter
  }
  if (/(l|le)$/.test(w)) return 'l'
  if (/(m|n|ng|me|ne)$/.test(w)) return 'other'
  if (/[aeiou](p|t|k|c|b|ck)$/.test(w)) return 'other'
  return 'none'
}

/** The final sound of a text's last letter or digit; signs behind it do not count. */
export function final(text: string): Final {
  const plain = text.replace(/[^\p{L}\p{N}]+$/u, '').toLowerCase()
  const last = plain.at(-1)
  if (last === undefined) return 'none'
  const code = last.charCodeAt(0)
  if (code >= 0xac00 && code <= 0xd7a3) {
    const consonant = (code - 0xac00) % 28
    return consonant === 0 ? 'none' : consonant === 8 ? 'l' : 'other'
  }
  if (last >= '0' && last <= '9') {
    const number = /\d+$/.exec(plain)?.[0] ?? last
    // 10, 100, 1 000 end in 십, 백, 천; 10 000 in 만: all with a consonant.
    if (last === '0' && number.length > 1) return 'other'
    return digits[Number(last)] as Final
  }
  const tail = /[a-z]+$/.exec(plain)?.[0]
  return tail ? word(tail) : 'none'
}

/** The particle of a pair such as 이/가, 은/는, 을/를, 과/와, 으로/로 that follows a text. */
export function particle(text: string, pair: string): string {
  const [closed = '', open = ''] = pair.split('/')
  const end = final(text)
  if (closed === '으로') return end === 'other' ? closed : open // after ㄹ too it is 로
  return end === 'none' ? open : closed
}
