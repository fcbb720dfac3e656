package process

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// checkProgram says what is wrong with a program before anything is run. A
// program that needs a dynamic linker would fail at the start with less to read:
// it may open no file.
func checkProgram(program []byte) error {
	if bytes.HasPrefix(program, []byte("\x00asm")) {
		return errors.New("this is a WebAssembly module; list it with runtime: wasm, or build the plugin for this system")
	}
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return fmt.Errorf("not a Linux program (%w); build the plugin with GOOS=linux GOARCH=%s", err, runtime.GOARCH)
	}
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	if want, ok := machine[runtime.GOARCH]; ok && f.Machine != want {
		return fmt.Errorf("a program for %s, and this machine is %s; build the plugin with GOARCH=%s", f.Machine, want, runtime.GOARCH)
	}
	for _, segment := range f.Progs {
		if segment.Type == elf.PT_INTERP {
			return errors.New("dynamically linked, and a plugin can open no libraries; build it with CGO_ENABLED=0, or link it statically")
		}
	}
	return nil
}

const imageSeals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// newImage copies a program into memory that nobody can change any more, and
// that can be executed.
func newImage(program []byte) (_ *os.File, err error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("plugin", flags|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // Linux before 6.3 does not know MFD_EXEC, and needs none
		fd, err = unix.MemfdCreate("plugin", flags)
	}
	if err != nil {
		return nil, fmt.Errorf("create memory file: %w", err)
	}
	f := os.NewFile(uintptr(fd), "plugin")
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	if _, err = f.Write(program); err != nil {
		return nil, fmt.Errorf("copy program: %w", err)
	}
	if _, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, imageSeals); err != nil {
		return nil, fmt.Errorf("seal program: %w", err)
	}
	return f, nil
}
