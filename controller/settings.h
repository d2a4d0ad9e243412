/* controller/settings.h - the settings in force, and their reload.
 *
 * SPDX-License-Identifier: MIT
 *
 * One configuration per process: defaults, over them what the program said,
 * the file, the environment. A reload makes a new one and puts it in the
 * place of the old one when all of it is good; what it changes counts for
 * windows that are armed later (spec/run-artifact.md section 10.8). Keys that
 * count at start only (tailbox__config_is_fixed) keep their effect.
 *
 * Before the threads start only the starting thread calls these; from then on
 * any thread may.
 */
#ifndef TAILBOX_CONTROLLER_SETTINGS_H
#define TAILBOX_CONTROLLER_SETTINGS_H 1

#include "controller/controller.h"
#include "core/config_file.h"

struct tailbox_options;

/* What the environment said; NULL: nothing. Borrowed for the call. */
struct tailbox__settings_environment {
	const char *dir, *artifacts;
	bool says_on; /* TAILBOX=on: also against the file */
};

/* Start over: defaults, the program's values and those of the environment. */
void tailbox__settings_open(const char *service,
                            const struct tailbox_options *o,
                            const struct tailbox__settings_environment *env);
/* Read a file (absolute path). After a failure the settings are those without
 * it, and reload tries again. As tailbox__config_load(). */
int tailbox__settings_load(const char *path,
                           struct tailbox__config_report *report);
/* The settings in force. Only before the threads start. */
const struct tailbox__config *tailbox__settings(void);
/* The folder that was taken after all, for those who look. */
void tailbox__settings_chosen(enum tailbox__config_key key, const char *path,
                              enum tailbox__config_from from);
/* Something that they ask for could not be had. Any thread. */
void tailbox__settings_trouble(const char *text);
/* Have stacks taken by the signal that they name, or by none; does nothing
 * while no sampler runs. A reload does it by itself. */
void tailbox__settings_stacks(void);
/* In a forked child. */
void tailbox__settings_in_child(void);

/* What a window gets that is armed now; mode: instead of the settings', NULL
 * allowed. */
void tailbox__settings_activation(struct tailbox__activation *a,
                                  const enum tailbox__mode *mode);
/* What is to be done with an artifact that no window leaves. */
void tailbox__settings_wishes(struct tailbox__wishes *out);

/* Read the file again. 0; -ENOENT: there is none to read; else the file is
 * wrong and nothing has changed: report (never NULL) says where. Reads a file,
 * so not for a thread that must not wait. */
int tailbox__reload(struct tailbox__config_report *report);

struct tailbox__settings_status {
	char file[TAILBOX__CONFIG_PATH_MAX + 1]; /* "" = none is named */
	bool is_loaded;      /* its values are in force */
	uint64_t loaded_ms;  /* wall, when they were read; NONE = never */
	uint64_t reloads, failed_reloads;
	uint64_t reload_ms;  /* wall, the last try; NONE = none yet */
	char error[TAILBOX__CONFIG_PATH_MAX + 320]; /* of the last reading; "" */
	char trouble[512];   /* what could not be done with them at start; "" */
	char restart[512];   /* keys that changed and need a restart; "" */
};
void tailbox__settings_status(struct tailbox__settings_status *out);
/* All values, with the folders that were chosen. */
void tailbox__settings_copy(struct tailbox__config *out);

#endif
