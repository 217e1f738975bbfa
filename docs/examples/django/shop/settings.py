"""Settings of the example. The database's server and role come from PGHOST and PGUSER, as for psql."""

import os

DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
SECRET_KEY = os.environ.get("SECRET_KEY", "for the example alone")
ROOT_URLCONF = "shop.urls"
INSTALLED_APPS = ["integrations"]
MIDDLEWARE = ["integrations.tenancy.TenantMiddleware"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("PGDATABASE", "shop"),
        "USER": os.environ.get("PGUSER", "shop_app"),
        "ATOMIC_REQUESTS": True,  # a view that fails is rolled back
        "DISABLE_SERVER_SIDE_CURSORS": True,  # behind PgBouncer they would outlive their connection
        "TEST": {"SERIALIZE": False},  # Django 3.2 would read every table without a tenant
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
