# Measurements; bench/run.sh builds and runs them.
EXTRA_PROGRAMS += bench/analyze bench/record bench/mhd bench/instructions \
	bench/follower bench/stall
bench_analyze_SOURCES = bench/analyze.c
bench_analyze_LDADD = libtailbox-analyzer.la libtailbox-all.la $(MHD_LIBS) \
	$(ZLIB_LIBS)
bench_record_SOURCES = bench/record.c bench/server.c bench/server.h \
	bench/triggers.h
bench_record_LDADD = libtailbox-all.la $(MHD_LIBS) $(ZLIB_LIBS)
bench_stall_SOURCES = bench/stall.c
bench_stall_LDADD = libtailbox-all.la $(MHD_LIBS) $(ZLIB_LIBS)
bench_follower_SOURCES = bench/follower.c bench/server.c bench/server.h \
	bench/triggers.h
bench_follower_LDADD = libtailbox-all.la $(MHD_LIBS) $(ZLIB_LIBS)
bench_mhd_SOURCES = bench/mhd.c bench/server.c bench/server.h bench/triggers.h
bench_mhd_LDADD = libtailbox-all.la $(MHD_LIBS) $(ZLIB_LIBS) -lm
bench_instructions_SOURCES = bench/instructions.c bench/server.c bench/server.h
bench_instructions_LDADD = libtailbox-all.la $(MHD_LIBS) $(ZLIB_LIBS)
EXTRA_DIST += bench/run.sh bench/analyze.sh
CLEANFILES += $(EXTRA_PROGRAMS)
