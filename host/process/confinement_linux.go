package process

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// confinement says what holds the processes of a Runtime. It is found out once;
// a child that cannot apply what stands here does not start.
type confinement struct {
	landlock int // version, 0 for none
	seccomp  bool
	uid      int // 0: the server's own
	root     bool
	dropCaps bool // the bounding set, as root without a user for plugins
}

// findConfinement looks at the kernel and at who the server is.
func findConfinement(uid int) confinement {
	c := confinement{landlock: landlockABI(), seccomp: seccompAvailable(), root: os.Geteuid() == 0}
	switch {
	case c.root && uid > 0:
		c.uid = uid
	case c.root:
		c.dropCaps = canDropCapabilities()
	}
	return c
}

// canDropCapabilities tells whether the process may shrink its bounding set.
func canDropCapabilities() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_SETPCAP) != 0
}

// words render it for GET /plugins.
func (c confinement) words() map[string]string {
	w := map[string]string{
		"noNewPrivileges": "on",
		"diesWithHost":    "on",
		"limits":          "memory, open files, no files written, no core dumps",
		"landlock":        "off: the kernel has none",
		"seccomp":         "off: the kernel or this architecture has none",
		"uid":             "off: the server is not root",
		"capabilities":    "none to drop",
	}
	if c.landlock > 0 {
		w["landlock"] = fmt.Sprintf("v%d", c.landlock)
	}
	if c.seccomp {
		w["seccomp"] = "on"
	}
	switch {
	case c.uid > 0:
		w["uid"], w["capabilities"] = strconv.Itoa(c.uid), "dropped"
	case c.dropCaps:
		w["uid"], w["capabilities"] = "off: runs as root; set PLUGIN_UID", "dropped"
	case c.root:
		w["uid"], w["capabilities"] = "off: runs as root; set PLUGIN_UID", "off: the server may not drop them"
	}
	return w
}
