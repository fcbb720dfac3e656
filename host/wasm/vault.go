package wasm

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// vault keeps entries in a directory, each sealed with a key that is kept
// outside of it: who can write to the directory alone cannot make an entry.
type vault struct {
	dir string
	key []byte
}

// entry is a file of the engine's cache.
type entry struct {
	path    string // relative, chosen by the engine
	content []byte
}

const (
	sealSize  = sha256.Size
	keySize   = 32
	entryName = ".code" // suffix
	temporary = ".tmp"  // suffix
)

var errSeal = errors.New("its seal is wrong: it was not written by this server, or damaged")

// openVault opens the directory, which must not be writable by others, and the
// key, which must not be readable by others. It makes what is missing.
func openVault(dir, keyFile string) (*vault, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create plugin cache: %w", err)
	}
	if err := private(dir, 0o022, "be written by other users, who could then run code in the server; run chmod 700 on it"); err != nil {
		return nil, fmt.Errorf("open plugin cache: %w", err)
	}
	key, err := readKey(keyFile)
	if err != nil {
		return nil, fmt.Errorf("open key of plugin cache: %w", err)
	}
	return &vault{dir: dir, key: key}, nil
}

// private refuses a file that has one of the permissions. Windows has others.
func private(path string, forbidden fs.FileMode, problem string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&forbidden != 0 {
		return fmt.Errorf("%s can %s", path, problem)
	}
	return nil
}

// readKey reads the key, and makes one if there is none. One that is not as long
// as a key is made anew: what it sealed is then compiled again.
func readKey(path string) ([]byte, error) {
	err := private(path, 0o077, "be read by other users; remove it, and a new one is made")
	if err == nil {
		key, err := os.ReadFile(path) //nolint:gosec // the operator names it
		if err != nil || len(key) == keySize {
			return key, err
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := makeKey(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path) //nolint:gosec // see above. Another server may have been faster
}

// makeKey writes a key, all of it or nothing, unless there is a file.
func makeKey(path string) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"*"+temporary)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, absent(os.Remove(file.Name()))) }()
	key := make([]byte, keySize)
	rand.Read(key)
	_, err = file.Write(key)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	err = os.Link(file.Name(), path) // a rename would replace the key of another server
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(file.Name(), path) // not every file system has links
}

// absent takes it for success that a file is not there.
func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (v *vault) path(id string) string { return filepath.Join(v.dir, id+entryName) }

// seal is a MAC over the entry and its id, so that no entry can take the place
// of another.
func (v *vault) seal(id string, body []byte) []byte {
	mac := hmac.New(sha256.New, v.key)
	mac.Write([]byte("compiled code 1\n" + id + "\n"))
	mac.Write(body)
	return mac.Sum(nil)
}

// load reads an entry and proves it. The error wraps fs.ErrNotExist if there is
// none.
func (v *vault) load(id string) (entry, error) {
	b, err := os.ReadFile(v.path(id))
	if err != nil {
		return entry{}, err
	}
	if len(b) < sealSize+2 || !hmac.Equal(b[:sealSize], v.seal(id, b[sealSize:])) {
		return entry{}, errSeal
	}
	_ = os.Chtimes(v.path(id), time.Time{}, now()) // see prune
	b = b[sealSize:]
	n := int(binary.LittleEndian.Uint16(b))
	if b = b[2:]; n > len(b) {
		return entry{}, errSeal
	}
	return entry{path: string(b[:n]), content: b[n:]}, nil
}

// store writes an entry, all of it or nothing.
func (v *vault) store(id string, e entry) (err error) {
	body := binary.LittleEndian.AppendUint16(nil, uint16(len(e.path)))
	body = append(append(body, e.path...), e.content...)
	file, err := os.CreateTemp(v.dir, "*"+temporary)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name()) // the reason for it is what is reported
		}
	}()
	_, err = file.Write(v.seal(id, body))
	if err == nil {
		_, err = file.Write(body)
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), v.path(id)); err != nil {
		return err
	}
	v.prune()
	return nil
}

// maxEntries bounds the directory. An entry is about three times as large as
// its module.
const maxEntries = 64

// prune removes the entries that were not used for the longest time. What cannot
// be removed is left for the next time.
func (v *vault) prune() {
	files, err := os.ReadDir(v.dir)
	if err != nil || len(files) <= maxEntries {
		return
	}
	used := map[string]time.Time{}
	for _, f := range files {
		if info, err := f.Info(); err == nil && strings.HasSuffix(f.Name(), entryName) {
			used[f.Name()] = info.ModTime()
		}
	}
	names := slices.SortedFunc(maps.Keys(used), func(a, b string) int { return used[b].Compare(used[a]) })
	for _, name := range names[min(maxEntries, len(names)):] {
		_ = os.Remove(filepath.Join(v.dir, name))
	}
}

// writeTo puts the entry where the engine looks for it.
func (e entry) writeTo(dir string) error {
	if !filepath.IsLocal(e.path) {
		return errSeal
	}
	path := filepath.Join(dir, e.path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, e.content, 0o600)
}

// findEntry reads the one file that the engine wrote; an entry without a path
// if there is none.
func findEntry(dir string) (e entry, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, temporary) {
			return err
		}
		if e.content, err = os.ReadFile(path); err != nil { //nolint:gosec // nobody else can write there
			return err
		}
		e.path, err = filepath.Rel(dir, path)
		return err
	})
	return e, err
}
