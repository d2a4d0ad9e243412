if HAVE_COMMAND
bin_PROGRAMS += tailbox
dist_man1_MANS = doc/tailbox.1
endif
# What reads the tape of a process for people: a library, so that suites can link
# it. Of the libraries of the system only the screen needs one.
if HAVE_COMMAND
noinst_LTLIBRARIES += libtailbox-live.la
endif
libtailbox_live_la_LIBTOOLFLAGS = --tag=disable-shared
libtailbox_live_la_CPPFLAGS = $(AM_CPPFLAGS) $(NCURSES_CPPFLAGS)
libtailbox_live_la_LIBADD = $(NCURSES_LIBS)
libtailbox_live_la_SOURCES += \
	cli/from_tape.c \
	cli/output.c \
	cli/proc.c \
	cli/tail.c \
	cli/top_cost.c \
	cli/top_detail.c \
	cli/top_json.c \
	cli/top_lines.c \
	cli/top_model.c \
	cli/top_recent.c \
	cli/top_requests.c \
	cli/top_screen.c \
	cli/top_terminal.c \
	cli/top_text.c \
	cli/top_workers.c
tailbox_LDADD = libtailbox-live.la libtailbox-analyzer.la libtailbox-all.la \
	$(CURL_LIBS) $(MHD_LIBS) $(ZLIB_LIBS)
tailbox_SOURCES += \
	cli/analyze_assert.c \
	cli/cmd_analyze.c \
	cli/cmd_analyze_failures.c \
	cli/cmd_arm.c \
	cli/cmd_capture.c \
	cli/cmd_compare.c \
	cli/cmd_config.c \
	cli/cmd_doctor.c \
	cli/cmd_doctor_admin.c \
	cli/cmd_doctor_artifacts.c \
	cli/cmd_doctor_folder.c \
	cli/cmd_doctor_kernel.c \
	cli/cmd_doctor_memory.c \
	cli/cmd_doctor_service.c \
	cli/cmd_export.c \
	cli/cmd_fetch.c \
	cli/cmd_ls.c \
	cli/cmd_recover.c \
	cli/cmd_run.c \
	cli/cmd_snapshot.c \
	cli/cmd_status.c \
	cli/cmd_switch.c \
	cli/cmd_tail.c \
	cli/cmd_timeline.c \
	cli/cmd_top.c \
	cli/cmd_validate.c \
	cli/http.c \
	cli/load.c \
	cli/main.c \
	cli/options.c \
	cli/outfile.c \
	cli/process.c \
	cli/progress.c \
	cli/recover.c \
	cli/report_view.c \
	cli/run_after.c \
	cli/run_agent.c \
	cli/run_elf.c \
	cli/run_program.c \
	cli/run_why.c \
	cli/services.c \
	cli/snapshot_tape.c \
	cli/sock.c \
	cli/tape_json.c \
	cli/tape_text.c \
	cli/target.c \
	cli/target_help.c \
	cli/target_url.c \
	cli/target_word.c \
	cli/token.c \
	cli/analyze_assert.h \
	cli/cli.h \
	cli/cmd_analyze.h \
	cli/cmd_doctor.h \
	cli/from_tape.h \
	cli/http.h \
	cli/load.h \
	cli/outfile.h \
	cli/output.h \
	cli/proc.h \
	cli/process.h \
	cli/progress.h \
	cli/recover.h \
	cli/report_view.h \
	cli/run.h \
	cli/snapshot.h \
	cli/services.h \
	cli/sock.h \
	cli/tail.h \
	cli/target.h \
	cli/target_internal.h \
	cli/top_cost.h \
	cli/top_internal.h \
	cli/top_lines.h \
	cli/top_model.h \
	cli/top_recent.h \
	cli/top_terminal.h \
	cli/window.h
