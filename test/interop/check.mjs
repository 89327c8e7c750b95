// Tokens between shelf and jose, in both directions: what shelf makes, jose
// verifies; what jose makes, shelf judges.
//
//	node check.mjs URL ALG SECRET      SECRET is empty for EdDSA
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, jwtVerify, SignJWT, UnsecuredJWT } from 'jose'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'

const [url, alg, secret] = process.argv.slice(2)
const bytes = text => new TextEncoder().encode(text)

const signUp = await fetch(url + '/api/v1/auth/signup', {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ email: 'jose@example.com', password: 'b00k-worm' }),
})
assert.equal(signUp.status, 201)
const token = (await signUp.json()).data[0].access_token
const claims = decodeJwt(token)
const header = decodeProtectedHeader(token)

// What jose makes of our token: the same claims under the keys that we hand out.
const jwks = createRemoteJWKSet(new URL(url + '/.well-known/jwks.json'))
const key = alg === 'HS256' ? bytes(secret) : jwks
const verified = await jwtVerify(token, key, { algorithms: [alg], issuer: 'shelf', typ: 'JWT', requiredClaims: ['sub', 'jti', 'type', 'iat', 'nbf', 'exp'] })
assert.equal(verified.payload.type, 'access')
assert.equal(verified.payload.sub, verified.payload.public_id)
console.log(`ok   jose, ${alg}: our token verifies`)
await assert.rejects(jwtVerify(token.slice(0, -4) + 'AAAA', key), { code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' })
console.log(`ok   jose, ${alg}: with another signature it doesn't`)

// What shelf makes of tokens by jose. All say what our own, good token says.
const sign = (key, header, changes = {}) => new SignJWT({ ...claims, ...changes }).setProtectedHeader(header).sign(key)
const published = (await (await fetch(url + '/.well-known/jwks.json')).json()).keys
const cases = [
  ['our own token opens the items', token, 200],
  ['alg none is refused', new UnsecuredJWT(claims).encode(), 422, 'The specified alg value is not allowed'],
]
if (alg === 'HS256') {
  assert.deepEqual(published, [])
  cases.push(
    ['the same, signed with the secret, opens them too', await sign(bytes(secret), { alg }), 200],
    ['another secret is refused', await sign(bytes(secret + '!'), { alg }), 422, 'Signature verification failed'],
    ['another secret under our kid is refused', await sign(bytes(secret + '!'), header), 422, 'Signature verification failed'],
    ['HS512 with the secret is refused', await sign(bytes(secret.repeat(2)), { alg: 'HS512' }), 422, 'The specified alg value is not allowed'],
    ['a token out of date is refused', await sign(bytes(secret), { alg }, { exp: claims.iat - 1 }), 401, 'Token has expired'],
    ['a token for another audience is refused', await sign(bytes(secret), { alg }, { aud: 'shelf' }), 422, 'Invalid claim: aud'],
    ['a token that shelf never made is refused', await sign(bytes(secret), { alg }, { jti: randomUUID() }), 401, 'Token has been revoked'],
  )
} else {
  const other = await generateKeyPair('EdDSA', { extractable: true })
  const [{ x, kid }] = published
  assert.equal(kid, header.kid)
  cases.push(
    ['another key is refused', await sign(other.privateKey, { alg }), 422, 'Signature verification failed'],
    ['another key under our kid is refused', await sign(other.privateKey, header), 422, 'Signature verification failed'],
    ['another key in the header is refused', await sign(other.privateKey, { ...header, jwk: await exportJWK(other.publicKey) }), 422, 'Signature verification failed'],
    ['HS256 with the public key is refused', await sign(Buffer.from(x, 'base64url'), { alg: 'HS256', kid }), 422, 'The specified alg value is not allowed'],
    ['HS256 with the public key as it is published is refused', await sign(bytes(x), { alg: 'HS256', kid }), 422, 'The specified alg value is not allowed'],
  )
}
for (const [name, text, status, error] of cases) {
  const r = await fetch(url + '/api/v1/items', { headers: { Authorization: `Bearer ${text}` } })
  const body = await r.json()
  assert.deepEqual([r.status, body.error], [status, error], name)
  console.log(`ok   jose, ${alg}: ${name}`)
}
