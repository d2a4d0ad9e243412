# Demos link what users link.
noinst_PROGRAMS += demo/hello
demo_hello_SOURCES = demo/hello.c
demo_hello_LDADD = libtailbox.la $(MHD_LIBS)

if HAVE_SHOP
noinst_PROGRAMS += demo/load demo/shop demo/slow_client
endif
demo_shop_SOURCES += \
	demo/shop.c \
	demo/shop_db.c \
	demo/shop_pages.c \
	demo/shop_queries.c \
	demo/shop_supplier.c \
	demo/shop_trouble.c \
	demo/shop.h \
	demo/shop_db.h
demo_shop_LDADD = libtailbox.la $(MHD_LIBS) $(SQLITE_LIBS) $(CURL_LIBS)
demo_load_SOURCES = demo/load.c
demo_load_LDADD = $(CURL_LIBS)

# Sockets and threads only.
demo_slow_client_SOURCES = demo/slow_client.c
demo_slow_client_LDADD =

EXTRA_DIST += demo/lab.sh demo/run.sh demo/shop.tailbox
