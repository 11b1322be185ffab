"""Pages of this app inside the admin: their frame, their trail, and the way back."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse


def own_page(
    request: HttpRequest,
    modeladmin: Any,
    template: str,
    *,
    title: Any,
    original: Any = None,
    **context: Any,
) -> TemplateResponse:
    """
    Return a page that extends oauth_accounts/admin/page.html, in the frame of its site.

    template: its name. title: what the page does; the first heading. original: the object
    that it is about, if it is one; the second heading.
    """
    # Templates then find the addresses of this AdminSite, whatever it is called.
    request.current_app = modeladmin.admin_site.name
    return TemplateResponse(
        request,
        f"oauth_accounts/admin/{template}",
        {
            **modeladmin.admin_site.each_context(request),
            "opts": modeladmin.opts,
            "title": title,
            "subtitle": None if original is None else str(original),
            "original": original,
            **context,
        },
    )


def address_of(modeladmin: Any, page: str, instance: Any = None) -> str:
    """
    Return the address of a page at the site of a model's admin.

    page: the last word of its URL name, such as "change". instance: whose page it is.
    """
    opts = modeladmin.opts
    return reverse(
        f"admin:{opts.app_label}_{opts.model_name}_{page}",
        args=() if instance is None else (instance.pk,),
        current_app=modeladmin.admin_site.name,
    )
