package trust

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The files of a key folder.
const (
	signingKeyFile = "signing.key" // PKCS #8 in PEM (RFC 5958, RFC 7468); dashboards only
	signingPubFile = "signing.pub" // one or two SubjectPublicKeyInfo in PEM (RFC 8410)
	busKeyFile     = "bus.key"     // the others: 32 bytes in base64, one line
	sealingKeyFile = "sealing.key"
	chainFile      = "signing.chain" // JSON; dashboards only, once the signing key was rotated
	pepperKeyFile  = "pepper.key"
)

const maxKeyFile = 16 << 10

type keyFile struct {
	name string
	text []byte
}

// Save writes the dashboard set into dir (made with mode 0700): signing.key,
// signing.pub, bus.key, sealing.key and pepper.key, each with mode 0600. It
// overwrites nothing: if one of the files exists, none is written.
func (k *Keys) Save(dir string) error {
	files, err := k.dashboardFiles()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the key folder: %w", err)
	}
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s exists; keys are never overwritten, so move the folder away first", path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("look for %s: %w", path, err)
		}
	}
	for i, f := range files {
		if err := writeNew(filepath.Join(dir, f.name), f.text); err != nil {
			for _, made := range files[:i] {
				err = errors.Join(err, os.Remove(filepath.Join(dir, made.name)))
			}
			return fmt.Errorf("write the keys: %w", err)
		}
	}
	return syncDir(dir)
}

// SaveNode writes the node set into dir (made with mode 0700): signing.pub,
// bus.key, sealing.key and pepper.key with mode 0600. Files that exist are
// replaced by rename, after all new ones are on disk.
func (k *Keys) SaveNode(dir string) error {
	files, err := k.nodeFiles()
	if err != nil {
		return err
	}
	return replace(dir, files)
}

// SaveReplacing writes the whole set into dir as Save does, but replaces the files
// that exist, as SaveNode does. A set without a signing key is a node's.
func (k *Keys) SaveReplacing(dir string) error {
	if k.now().signing == nil {
		return k.SaveNode(dir)
	}
	files, err := k.dashboardFiles()
	if err != nil {
		return err
	}
	if len(k.now().chain) == 0 { // that of another platform, perhaps
		if err := os.Remove(filepath.Join(dir, chainFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove an outdated key file: %w", err)
		}
	}
	return replace(dir, files)
}

func replace(dir string, files []keyFile) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the key folder: %w", err)
	}
	for _, f := range files {
		tmp := filepath.Join(dir, f.name+".new")
		if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove an unfinished key file: %w", err)
		}
		if err := writeNew(tmp, f.text); err != nil {
			return fmt.Errorf("write the keys: %w", err)
		}
	}
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := os.Rename(path+".new", path); err != nil {
			return fmt.Errorf("put a key file in place: %w", err)
		}
	}
	return syncDir(dir)
}

// Present lists the key files that are in dir, by name; none when the folder does
// not exist.
func Present(dir string) ([]string, error) {
	var there []string
	for _, name := range []string{signingKeyFile, signingPubFile, busKeyFile, sealingKeyFile, pepperKeyFile} {
		switch _, err := os.Lstat(filepath.Join(dir, name)); {
		case err == nil:
			there = append(there, name)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("look for %s: %w", name, err)
		}
	}
	return there, nil
}

// LoadDashboard reads the set that Save wrote. Errors name the file and the
// mend; a secret file that others may read is refused.
func LoadDashboard(dir string) (*Keys, error) {
	k, err := load(dir, initMend)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, signingKeyFile)
	text, err := readKeyFile(path, initMend, 0o077)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%s is not one PEM block of type PRIVATE KEY; restore it from a backup", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read as a key, restore it from a backup: %w", path, err)
	}
	priv, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a key that is not Ed25519; restore it from a backup", path)
	}
	k.Signing = priv
	if err := k.loadChain(dir); err != nil {
		return nil, err
	}
	k.resume()
	for _, pub := range k.Trusted {
		if pub.Equal(priv.Public()) {
			return k, nil
		}
	}
	return nil, fmt.Errorf("%s does not belong to any key in %s; restore both from one backup", path, signingPubFile)
}

// loadChain reads how the trusted keys came about; without a rotation there is no such file.
func (k *Keys) loadChain(dir string) error {
	path := filepath.Join(dir, chainFile)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	text, err := readKeyFile(path, initMend, 0o077)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &k.chain); err != nil || len(k.chain) > maxLinks {
		return fmt.Errorf("%s cannot be read as the succession of signing keys; restore it from a backup", path)
	}
	return nil
}

// What an operator does about a key file that is missing.
const (
	initMend = "run sluice-dashboard init"
	joinMend = "run the command that sluice-dashboard node-token prints"
)

// LoadNode reads the set that SaveNode (or Save) wrote. Errors name the file and
// the mend; a secret file that others may read is refused.
func LoadNode(dir string) (*Keys, error) { return load(dir, joinMend) }

func load(dir, mend string) (*Keys, error) {
	k := &Keys{dir: dir}
	path := filepath.Join(dir, signingPubFile)
	text, err := readKeyFile(path, mend, 0o022)
	if err != nil {
		return nil, err
	}
	if k.Trusted, err = parsePublic(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, f := range k.secrets() {
		path := filepath.Join(dir, f.name)
		text, err := readKeyFile(path, mend, 0o077)
		if err != nil {
			return nil, err
		}
		*f.key, err = base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
		if err != nil || len(*f.key) != KeySize {
			return nil, fmt.Errorf("%s is not %d bytes in base64; restore it from a backup, or %s", path, KeySize, mend)
		}
	}
	return k, nil
}

func parsePublic(text []byte) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	for len(bytes.TrimSpace(text)) > 0 {
		block, rest := pem.Decode(text)
		if block == nil || block.Type != "PUBLIC KEY" {
			return nil, errors.New("holds something that is not a PEM block of type PUBLIC KEY; let the node join again")
		}
		text = rest
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read a public key; let the node join again: %w", err)
		}
		pub, ok := key.(ed25519.PublicKey)
		if !ok {
			return nil, errors.New("holds a key that is not Ed25519; let the node join again")
		}
		keys = append(keys, pub)
	}
	if len(keys) == 0 || len(keys) > MaxTrusted {
		return nil, fmt.Errorf("holds %d public keys instead of 1 or %d; remove the outdated ones", len(keys), MaxTrusted)
	}
	return keys, nil
}

// readKeyFile reads a small regular file that has none of the forbidden mode bits.
func readKeyFile(path, mend string, forbidden fs.FileMode) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the key file %s is missing; %s", path, mend)
	}
	if err != nil {
		return nil, fmt.Errorf("look at the key file: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxKeyFile {
		return nil, fmt.Errorf("%s is not a regular file of at most %d bytes", path, maxKeyFile)
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return nil, fmt.Errorf("%s has mode %04o, so others have access; run: chmod 600 %s", path, mode, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	return text, nil
}

func (k *Keys) dashboardFiles() ([]keyFile, error) {
	s := k.now()
	if len(s.signing) != ed25519.PrivateKeySize {
		return nil, errors.New("a dashboard's keys need a signing key")
	}
	files, err := k.nodeFiles()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(s.signing)
	if err != nil {
		return nil, fmt.Errorf("encode the signing key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if len(s.chain) > 0 {
		chain, err := json.Marshal(s.chain)
		if err != nil {
			return nil, fmt.Errorf("encode the succession of signing keys: %w", err)
		}
		files = append(files, keyFile{chainFile, append(chain, '\n')})
	}
	// Last, so that a crash leaves a key that signing.pub has.
	return append(files, keyFile{signingKeyFile, text}), nil
}

func (k *Keys) nodeFiles() ([]keyFile, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	var pub bytes.Buffer
	for _, key := range k.now().trusted {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			return nil, fmt.Errorf("encode a public key: %w", err)
		}
		if err := pem.Encode(&pub, &pem.Block{Type: "PUBLIC KEY", Bytes: der}); err != nil {
			return nil, fmt.Errorf("encode a public key: %w", err)
		}
	}
	files := []keyFile{{signingPubFile, pub.Bytes()}}
	for _, f := range k.secrets() {
		files = append(files, keyFile{f.name, []byte(base64.StdEncoding.EncodeToString(*f.key) + "\n")})
	}
	return files, nil
}

// secret is one of the symmetric keys of a set, with the file that it lies in.
type secret struct {
	name string
	key  *[]byte
}

func (k *Keys) secrets() []secret {
	return []secret{{busKeyFile, &k.Bus}, {sealingKeyFile, &k.Sealing}, {pepperKeyFile, &k.Pepper}}
}

// writeNew makes a file with mode 0600 and forces it to disk. It refuses one that exists.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open the key folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("force the key folder to disk: %w", err)
	}
	return nil
}
