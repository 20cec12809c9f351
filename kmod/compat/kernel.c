// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/utsname.h>
#include <linux/version.h>

#include "kernel.h"

static bool allow_untried;
module_param(allow_untried, bool, 0444);
MODULE_PARM_DESC(allow_untried, "load on a kernel series the module was not tried on");

#ifdef UTRACE_GATES
static char *seed_release;
module_param(seed_release, charp, 0);
MODULE_PARM_DESC(seed_release, "for tests: take the running kernel for this one");
#endif

/* docs/kernels.md has what was tried on each. */
static const unsigned int tried[] = {
	KERNEL_VERSION(6, 1, 0),
	KERNEL_VERSION(6, 12, 0),
	KERNEL_VERSION(7, 3, 0),
};

/* Of the running kernel, not of the headers: an untried one may load what was built for another. */
static const char *running_release(void)
{
#ifdef UTRACE_GATES
	if (seed_release)
		return seed_release;
#endif
	return init_utsname()->release;
}

static unsigned int series_of(const char *release)
{
	unsigned int major, minor;

	return sscanf(release, "%u.%u", &major, &minor) == 2 ? KERNEL_VERSION(major, minor, 0) : 0;
}

bool utrace_module_has_btf(void)
{
#ifdef CONFIG_DEBUG_INFO_BTF_MODULES
	return THIS_MODULE->btf_data_size;
#else
	return false;
#endif
}

int utrace_kernel_check(void)
{
	const char *release = running_release();
	unsigned int series = series_of(release);
	unsigned int i;

	if (IS_ENABLED(CONFIG_PREEMPT_RT)) {
		pr_err("not loaded: kernel %s is a PREEMPT_RT kernel, whose locks may sleep where the hooks must not; use a kernel without PREEMPT_RT\n",
		       release);
		return -EOPNOTSUPP;
	}
	for (i = 0; i < ARRAY_SIZE(tried); i++)
		if (tried[i] == series)
			break;
	if (i == ARRAY_SIZE(tried)) {
		if (!allow_untried) {
			pr_err("not loaded: the module was not tried on kernel %s, only on the series 6.1, 6.12 and 7.3; to load it all the same give allow_untried=1\n",
			       release);
			return -EOPNOTSUPP;
		}
		pr_warn("loaded on kernel %s, on which it was not tried\n", release);
	}
#ifdef CONFIG_DEBUG_INFO_BTF_MODULES
	if (!utrace_module_has_btf())
		pr_warn("the module was built without its own type information (BTF): BPF programs will not see its tracepoints\n");
#else
	pr_warn("kernel %s takes no type information (BTF) from modules: BPF programs will not see our tracepoints\n",
		release);
#endif
	return 0;
}
