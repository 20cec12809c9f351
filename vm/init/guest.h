// SPDX-License-Identifier: Apache-2.0
// The guest as PID 1 sees it: files, mounts, modules, disks and the ports to the host.
#ifndef UTRACE_VM_INIT_GUEST_H_
#define UTRACE_VM_INIT_GUEST_H_

#include <string>
#include <vector>

namespace utrace::vm {

// Tells the host why this guest cannot do its job, and powers off. PID 1 has nobody to return an
// error to.
[[noreturn]] void Fail(const std::string& what);
// The same, with errno's text appended.
[[noreturn]] void FailErrno(const std::string& what);
// Switches off once the host has said that it has everything.
[[noreturn]] void PowerOff();

std::string ReadFile(const std::string& path);
void MountOrFail(const char* source, const char* where, const char* type, const char* options);
// Not every kernel has every pseudo file system; those that a kernel lacks are left out.
void MountIfKnown(const char* type, const char* where);

// Returns 0 or the errno of the kernel's refusal.
int LoadModule(const std::string& path);
// Loads every file of the folder, in the order of the names.
void LoadBootModules(const std::string& folder);

// The device of the disk to which vm/run gave this serial number; waits for it to appear.
std::string FindDisk(const std::string& serial);

// Opens the virtio port that vm/run named; waits for it to appear.
int OpenPort(const std::string& name);
// From now on Fail() and Tell() can speak.
void SetVerdictPort(int fd);
// One line of the verdict.
void Tell(const std::string& line);
bool WriteAll(int fd, const char* data, size_t size);

}  // namespace utrace::vm

#endif  // UTRACE_VM_INIT_GUEST_H_
