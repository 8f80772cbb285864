package world

import "fmt"

// A Room keeps processes: whatever a command leaves behind in it, such as gpg's agent, ends with the test. Files
// and network are the host's.
type Room struct{ holder *Process }

// NewRoom returns a room. It takes root's rights.
func NewRoom(t T) *Room {
	t.Helper()
	return &Room{hold(t, "room", nil, "echo ready; while :; do sleep 2; done")}
}

// Command returns c as it runs in the room.
func (r *Room) Command(c Command) Command {
	pid := fmt.Sprintf("--pid=/proc/%d/ns/pid_for_children", r.holder.Pid())
	c.Args = append([]string{pid, c.Path}, c.Args...)
	c.Path = "nsenter"
	return c
}
