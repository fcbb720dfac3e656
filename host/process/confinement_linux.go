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

// words render it for GET /plugins and the doctor. What is off says why and,
// behind a semicolon, what to do.
func (c confinement) words() map[string]string {
	w := map[string]string{
		"noNewPrivileges": "on",
		"diesWithHost":    "on",
		"sealedProgram":   "on",
		"limits":          "on: memory, main stack, open files, no files written, no core dumps",
		"landlock":        "off: the kernel has none; use Linux 5.13 or later, with landlock among the modules of /sys/kernel/security/lsm",
		"seccomp":         "off: the kernel or this architecture has none; use a kernel with CONFIG_SECCOMP_FILTER, on amd64 or arm64",
		"cgroup":          "off: each process has limits of its own, and all together have none; give the service a cgroup, such as MemoryMax= and TasksMax= of its unit",
	}
	if c.landlock > 0 {
		w["landlock"] = fmt.Sprintf("v%d", c.landlock)
	}
	if c.seccomp {
		w["seccomp"] = "on"
	}
	const isRoot = "off: plugins run as root; set PLUGIN_UID to a user that has nothing else"
	switch {
	case c.uid > 0:
		w["uid"], w["capabilities"] = strconv.Itoa(c.uid), "on: dropped"
	case c.dropCaps:
		w["uid"], w["capabilities"] = isRoot, "on: dropped"
	case c.root:
		w["uid"], w["capabilities"] = isRoot, "off: the server may not drop them; set PLUGIN_UID, or give the server CAP_SETPCAP"
	default:
		w["uid"], w["capabilities"] = "off: the server is not root; to keep plugins from its files without Landlock, start it as root with PLUGIN_UID", "on: there are none"
	}
	return w
}
