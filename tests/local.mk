# Scripts that read the sources or what was built. None needs libcheck.
check_scripts = \
	tests/check-arrows \
	tests/check-banned \
	tests/check-exports \
	tests/check-headers \
	tests/check-links \
	tests/check-news \
	tests/check-readme \
	tests/check-sources
TESTS += $(check_scripts)
EXTRA_DIST += $(check_scripts) tests/common.sh tests/needs tests/run.sh \
	tests/data \
	tests/consumer/consumer.c tests/consumer/consumer.cc tests/consumer/run

AM_TESTS_ENVIRONMENT = \
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
LDADD = $(analyzer_lib) libtailbox-all.la $(CHECK_LIBS) $(CURL_LIBS) \
	$(MHD_LIBS) $(ZLIB_LIBS)
noinst_HEADERS += \
	tests/recorder_fixture.h \
	tests/sample_runs.h \
	tests/test_sampler_fixture.h
unit_tests += \
	tests/test_artifact \
	tests/test_format \
	tests/test_record \
	tests/test_run \
	tests/test_run_json \
	tests/test_sampler \
	tests/test_sampler_pools \
	tests/test_sampler_proc \
	tests/test_validate
# These include analyzer/ or use libcurl.
command_tests += \
	tests/test_load \
	tests/test_load_json

if HAVE_CHECK
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
if HAVE_COMMAND
check_PROGRAMS += $(command_tests)
TESTS += $(command_tests)
endif
endif
