# Scripts that read the sources or what was built. None needs libcheck.
check_scripts = \
	tests/check-arrows \
	tests/check-banned \
	tests/check-conf-manual \
	tests/check-conformance-analyze \
	tests/check-conformance-load \
	tests/check-exports \
	tests/check-headers \
	tests/check-links \
	tests/check-news \
	tests/check-readme \
	tests/check-sources
BESIDE_TESTS += $(check_scripts)
LONG_TESTS += tests/check-instructions tests/check-analyze-instructions
EXTRA_DIST += tests/check-instructions tests/check-analyze-instructions
# They fetch packages and sources.
OUTSIDE_TESTS += \
	tests/mhd_examples.sh \
	tests/mhd_programs.sh \
	tests/mhd_suite.sh \
	tests/mhd_versions.sh \
	tests/ulfius.sh
EXTRA_DIST += $(OUTSIDE_TESTS) tests/beside.sh tests/mhd_examples.py \
	tests/mhd_source.sh tests/ulfius/api.c
EXTRA_DIST += tests/agent/bare.c tests/agent/host.c tests/agent/old.c \
	tests/agent/tty.c
EXTRA_DIST += $(check_scripts) tests/common.sh tests/fuzz tests/needs \
	tests/run.sh tests/kill9.sh tests/config tests/conformance tests/data tests/e2e \
	tests/golden tests/lab.sh \
	tests/consumer/consumer.c tests/consumer/consumer.cc tests/consumer/run

# libcheck's own 4 s are too few for a machine that does something else.
AM_TESTS_ENVIRONMENT = \
	CK_DEFAULT_TIMEOUT=60; export CK_DEFAULT_TIMEOUT; \
	top_srcdir='$(abs_top_srcdir)'; export top_srcdir; \
	top_builddir='$(abs_top_builddir)'; export top_builddir; \
	CC='$(CC)'; export CC; CXX='$(CXX)'; export CXX; \
	TEST_CFLAGS='$(AM_CFLAGS) $(CFLAGS) $(LDFLAGS)'; export TEST_CFLAGS; \
	TEST_LIBS='$(MHD_LIBS) $(ZLIB_LIBS)'; export TEST_LIBS; \
	SANITIZED='$(SANITIZER_CFLAGS)'; export SANITIZED;

# Suites: one program of one source each, tests/test_MODULE.c. Unless said
# otherwise a program is a white box and may use whatever there is.
if HAVE_COMMAND
analyzer_lib = libtailbox-analyzer.la
endif
LDADD = $(support_lib) $(analyzer_lib) libtailbox-all.la $(CHECK_LIBS) \
	$(CURL_LIBS) $(MHD_LIBS) $(ZLIB_LIBS)
# What several suites share.
if HAVE_CHECK
support_lib = tests/libsupport.la
check_LTLIBRARIES += tests/libsupport.la
endif
tests_libsupport_la_LIBTOOLFLAGS = --tag=disable-shared
tests_libsupport_la_SOURCES += \
	tests/e2e_client.c
noinst_HEADERS += \
	tests/analyze_fixture.h \
	tests/analyzer_options_fixture.h \
	tests/artifact_fixture.h \
	tests/assemble_fixture.h \
	tests/assert_fixture.h \
	tests/compare_fixture.h \
	tests/config_file_fixture.h \
	tests/controller_fixture.h \
	tests/e2e_admin_client.h \
	tests/e2e_admin_service.h \
	tests/e2e_admin_tcp_client.h \
	tests/e2e_admin_unix_client.h \
	tests/e2e_client.h \
	tests/e2e_modes.h \
	tests/e2e_record_app.h \
	tests/e2e_record_tape.h \
	tests/e2e_scripts.h \
	tests/e2e_server.h \
	tests/failures_fixture.h \
	tests/keep_fixture.h \
	tests/own_fixture.h \
	tests/pieces.h \
	tests/rare_fixture.h \
	tests/recorder_fixture.h \
	tests/sample_runs.h \
	tests/sampling_fixture.h \
	tests/start_fixture.h \
	tests/test_sampler_fixture.h \
	tests/timeline_fixture.h
unit_tests += \
	tests/test_admin_parse \
	tests/test_admin_token \
	tests/test_after \
	tests/test_artifact \
	tests/test_artifact_damage \
	tests/test_artifact_place \
	tests/test_artifact_versions \
	tests/test_assemble \
	tests/test_assemble_end \
	tests/test_assemble_random \
	tests/test_assemble_snapshots \
	tests/test_assemble_spans \
	tests/test_config \
	tests/test_config_file \
	tests/test_config_file_controller \
	tests/test_config_file_shown \
	tests/test_config_file_values \
	tests/test_controller \
	tests/test_controller_folder \
	tests/test_controller_keep \
	tests/test_controller_keep_disk \
	tests/test_controller_keep_json \
	tests/test_controller_keep_names \
	tests/test_controller_limits \
	tests/test_controller_threads \
	tests/test_copies \
	tests/test_cost \
	tests/test_cover \
	tests/test_crews \
	tests/test_crowd \
	tests/test_fill \
	tests/test_forked \
	tests/test_format \
	tests/test_holds \
	tests/test_mhd_options \
	tests/test_mhd_route \
	tests/test_patterns \
	tests/test_rare \
	tests/test_rare_damage \
	tests/test_rare_run \
	tests/test_rare_spans \
	tests/test_reader_writer \
	tests/test_record \
	tests/test_run \
	tests/test_run_json \
	tests/test_sampler \
	tests/test_sampler_daemons \
	tests/test_sampler_pool_values \
	tests/test_sampler_pools \
	tests/test_sampler_proc \
	tests/test_sampler_waiting \
	tests/test_sampler_workers \
	tests/test_snapshot \
	tests/test_stack \
	tests/test_slow_log \
	tests/test_start \
	tests/test_start_environment \
	tests/test_start_fork \
	tests/test_start_options \
	tests/test_start_process \
	tests/test_stopped \
	tests/test_task \
	tests/test_toml \
	tests/test_trigger \
	tests/test_trigger_watch \
	tests/test_validate
# It stops a thread where it has taken a lock.
tests_e2e_stop_callbacks_LDFLAGS = -Wl,--wrap=munmap
tests_test_crews_LDFLAGS = -Wl,--wrap=pthread_mutex_lock
tests_test_forked_LDFLAGS = -Wl,--wrap=pthread_mutex_lock \
	-Wl,--wrap=mmap
# These include analyzer/ or use libcurl.
command_tests += \
	tests/test_agent \
	tests/test_analyze \
	tests/test_analyze_parts \
	tests/test_analyze_properties \
	tests/test_analyze_quality \
	tests/test_analyze_rank \
	tests/test_analyze_routes \
	tests/test_analyze_segments \
	tests/test_analyze_series \
	tests/test_analyze_stage \
	tests/test_analyze_trend \
	tests/test_analyzer_options \
	tests/test_analyzer_options_file \
	tests/test_analyzer_options_memory \
	tests/test_analyzer_options_paths \
	tests/test_analyzer_options_shown \
	tests/test_assert \
	tests/test_assert_missing \
	tests/test_assert_text \
	tests/test_compare \
	tests/test_anatomy \
	tests/test_failures \
	tests/test_failures_resource \
	tests/test_failures_shared \
	tests/test_failures_shown \
	tests/test_load \
	tests/test_load_ahead \
	tests/test_load_json \
	tests/test_own \
	tests/test_own_held \
	tests/test_own_join \
	tests/test_own_loop \
	tests/test_own_samples \
	tests/test_own_sums \
	tests/test_report \
	tests/test_screen \
	tests/test_symbols \
	tests/test_tail \
	tests/test_timeline \
	tests/test_timeline_choice \
	tests/test_timeline_rows \
	tests/test_top \
	tests/test_verdict
# End to end, over real sockets.
e2e_tests += \
	tests/e2e_admin \
	tests/e2e_admin_artifacts \
	tests/e2e_admin_browser \
	tests/e2e_admin_busy \
	tests/e2e_admin_windows \
	tests/e2e_attack \
	tests/e2e_churn \
	tests/e2e_config \
	tests/e2e_crash \
	tests/e2e_crowd \
	tests/e2e_doctor \
	tests/e2e_handover \
	tests/e2e_headline \
	tests/e2e_holds \
	tests/e2e_admin_mount \
	tests/e2e_admin_tcp \
	tests/e2e_kill9 \
	tests/e2e_main_job \
	tests/e2e_matrix \
	tests/e2e_mhd_ends \
	tests/e2e_mhd_ingress \
	tests/e2e_mhd_parity \
	tests/e2e_mhd_phases \
	tests/e2e_mhd_record \
	tests/e2e_mhd_responses \
	tests/e2e_reload \
	tests/e2e_report \
	tests/e2e_sampler \
	tests/e2e_snapshot \
	tests/e2e_stack \
	tests/e2e_stop \
	tests/e2e_stop_callbacks \
	tests/e2e_switch \
	tests/e2e_trigger \
	tests/e2e_window
# The same sources again with more of all of it, in `make check-long`.
long_tests += \
	tests/e2e_long_attack \
	tests/e2e_long_churn \
	tests/e2e_long_ingress \
	tests/e2e_long_kill9 \
	tests/e2e_long_main_job \
	tests/e2e_long_parity \
	tests/e2e_long_reload \
	tests/e2e_long_trigger \
	tests/e2e_long_window \
	tests/long_compare
tests_long_compare_SOURCES = tests/test_compare.c
tests_long_compare_CPPFLAGS = $(AM_CPPFLAGS) -DCOMPARE_LONG
tests_long_compare_LDADD = $(LDADD) -lm
# Stacks are walked by frame pointers, and named by build id.
tests_e2e_stack_CFLAGS = $(AM_CFLAGS) -fno-omit-frame-pointer \
	-fno-optimize-sibling-calls
tests_e2e_stack_LDFLAGS = -Wl,--build-id
tests_e2e_stack_LDADD = libtailbox-live.la $(LDADD)
tests_test_symbols_LDFLAGS = -Wl,--build-id
tests_e2e_attack_LDADD = $(LDADD) -lm
tests_test_compare_LDADD = $(LDADD) -lm
# The agent's own objects are those of a shared library.
tests_test_agent_SOURCES = tests/test_agent.c agent/take_out.c agent/tell.c \
	cli/run_elf.c
tests_test_agent_CPPFLAGS = $(AM_CPPFLAGS)
tests_test_agent_LDADD = $(CHECK_LIBS) $(MHD_LIBS)
tests_test_agent_LDFLAGS = -Wl,--no-as-needed
tests_test_tail_LDADD = libtailbox-live.la $(LDADD)
tests_test_top_LDADD = libtailbox-live.la $(LDADD)
tests_e2e_long_attack_SOURCES = tests/e2e_attack.c
tests_e2e_long_attack_CPPFLAGS = $(AM_CPPFLAGS) -DE2E_LONG
tests_e2e_long_attack_LDADD = $(LDADD) -lm
tests_e2e_long_churn_SOURCES = tests/e2e_churn.c
tests_e2e_long_churn_CPPFLAGS = $(AM_CPPFLAGS) -DE2E_LONG
tests_e2e_long_ingress_SOURCES = tests/e2e_mhd_ingress.c
tests_e2e_long_ingress_CPPFLAGS = $(AM_CPPFLAGS) -DE2E_LONG
tests_e2e_long_kill9_SOURCES = tests/e2e_kill9.c
tests_e2e_long_kill9_CPPFLAGS = $(AM_CPPFLAGS) -DE2E_LONG
tests_e2e_long_main_job_SOURCES = tests/e2e_main_job.c
tests_e2e_long_main_job_CPPFLAGS = $(AM_CPPFLAGS) -DE2E_LONG
matrix_sources = tests/e2e_matrix.c \
	tests/matrix_app.c \
	tests/matrix_app.h \
	tests/matrix_peer.c \
	tests/matrix_peer.h
tests_e2e_matrix_SOURCES = $(matrix_sources)
tests_e2e_long_matrix_SOURCES = $(matrix_sources)
tests_e2e_long_matrix_CPPFLAGS = $(AM_CPPFLAGS) -DE2E_LONG
parity_sources = tests/e2e_mhd_parity.c \
	tests/parity_app.c \
	tests/parity_app.h \
	tests/parity_script.c \
	tests/parity_script.h
tests_e2e_mhd_parity_SOURCES = $(parity_sources)
tests_e2e_long_parity_SOURCES = $(parity_sources)
tests_e2e_long_parity_CPPFLAGS = $(AM_CPPFLAGS) -DE2E_LONG
tests_e2e_long_reload_SOURCES = tests/e2e_reload.c
tests_e2e_long_reload_CPPFLAGS = $(AM_CPPFLAGS) -DE2E_LONG
tests_e2e_long_trigger_SOURCES = tests/e2e_trigger.c
tests_e2e_long_trigger_CPPFLAGS = $(AM_CPPFLAGS) -DE2E_LONG
tests_e2e_long_trigger_LDADD = $(LDADD) -lm
tests_e2e_long_window_SOURCES = tests/e2e_window.c
tests_e2e_long_window_CPPFLAGS = $(AM_CPPFLAGS) -DE2E_LONG

# The command, word by word. They skip where it was not built. Some look at
# places that every service of a machine shares.
cli_tests = \
	tests/cli_analyze.sh \
	tests/cli_assert.sh \
	tests/cli_compare.sh \
	tests/cli_config.sh \
	tests/cli_drop_in.sh \
	tests/cli_errors.sh \
	tests/cli_failures.sh \
	tests/cli_kept.sh \
	tests/cli_live.sh \
	tests/cli_run.sh \
	tests/cli_screen.sh \
	tests/cli_snapshot.sh \
	tests/cli_targets.sh \
	tests/cli_tail.sh \
	tests/cli_top.sh \
	tests/cli_top_screen.sh \
	tests/cli_url.sh
cli_alone_tests = \
	tests/cli_container.sh \
	tests/cli_doctor.sh \
	tests/cli_doctor_sandbox.sh \
	tests/cli_golden.sh
BESIDE_TESTS += $(cli_tests)
ALONE_TESTS += $(cli_alone_tests)
EXTRA_DIST += $(cli_tests) $(cli_alone_tests) tests/cli_common.sh \
	tests/cli_peers.sh tests/cli_shop.sh
if HAVE_COMMAND
check_PROGRAMS += tests/cli_peer
endif

# A sandbox for a test of the command.
if HAVE_COMMAND
check_PROGRAMS += tests/cli_doctor_deny
endif

# The loaders with any bytes: replays the samples; with clang, a fuzzer.
if HAVE_COMMAND
check_PROGRAMS += tests/fuzz_load
BESIDE_TESTS += tests/fuzz_load
endif

# The readers of tapes with mutated ones; those of the command are its own.
if HAVE_COMMAND
check_PROGRAMS += tests/fuzz_tape
BESIDE_TESTS += tests/fuzz_tape
tests_fuzz_tape_SOURCES = tests/fuzz_tape.c cli/options.c cli/services.c \
	cli/sock.c cli/tape_json.c cli/tape_text.c
tests_fuzz_tape_LDADD = libtailbox-live.la $(LDADD)
endif

# The reader of settings, with any bytes.
check_PROGRAMS += tests/fuzz_config
BESIDE_TESTS += tests/fuzz_config

if HAVE_CHECK
check_PROGRAMS += $(unit_tests)
BESIDE_TESTS += $(unit_tests)
if HAVE_COMMAND
check_PROGRAMS += $(command_tests) $(e2e_tests)
# Built when they are to run, and by nothing else.
EXTRA_PROGRAMS += $(long_tests)
# By hand: with as many requests a thread for each connection and suspension had
# no end in one of three runs. libmicrohttpd 0.9.75 misses resumes there, bare as
# well; whether it is that is not shown.
EXTRA_PROGRAMS += tests/e2e_long_matrix
BESIDE_TESTS += $(command_tests)
ALONE_TESTS += $(e2e_tests)
LONG_TESTS += $(long_tests)
endif
endif
TESTS += $(BESIDE_TESTS) $(ALONE_TESTS)
# Never true. Automake writes rules for the names that it finds in TESTS, whatever
# their condition, and `make check-long` and `check-outside` need those.
if LONG_IN_TESTS
TESTS += $(LONG_TESTS) $(OUTSIDE_TESTS)
endif

# What tests/faults/run needs; it runs from tests/run.sh.
check_PROGRAMS += tests/faults/clients tests/faults/service
tests_faults_clients_LDADD =
tests_faults_service_LDADD = libtailbox.la $(MHD_LIBS)
tests_faults_service_LDFLAGS = -no-install
# File by file: of a folder the tarball would have what was built there, too.
EXTRA_DIST += tests/faults/run \
	tests/faults/common.sh \
	tests/faults/config.sh \
	tests/faults/disk.sh \
	tests/faults/files.sh \
	tests/faults/http.sh \
	tests/faults/start.sh \
	tests/faults/token.sh \
	tests/faults/window.sh
