# The preload agent: middleware, sampler and controller for programs as they
# are. It links the C library and nothing else: agent/real.c. Each function of
# libmicrohttpd that it exports and that is called from inside, too, needs a
# --wrap, so that the inner calls do not end up in the exported one.
if HAVE_AGENT
lib_LTLIBRARIES += libtailbox-agent.la
endif
agent_wrap = -Wl,--wrap=MHD_resume_connection \
	-Wl,--wrap=MHD_start_daemon \
	-Wl,--wrap=MHD_start_daemon_va \
	-Wl,--wrap=MHD_stop_daemon \
	-Wl,--wrap=MHD_suspend_connection
libtailbox_agent_la_LDFLAGS = -module -avoid-version -shared -no-undefined \
	$(NO_UNDEFINED) $(agent_wrap) \
	-export-symbols $(srcdir)/agent/agent.sym
libtailbox_agent_la_LIBADD = libtailbox-all.la
libtailbox_agent_la_DEPENDENCIES = libtailbox-all.la agent/agent.sym
libtailbox_agent_la_SOURCES = \
	agent/agent.c \
	agent/interpose.c \
	agent/real.c \
	agent/take_out.c \
	agent/tell.c \
	agent/ulfius.c \
	agent/agent.h \
	agent/real.h
EXTRA_DIST += agent/agent.sym
