"""Which namespaces the operator looks after right now: those it was given, where it has its rights."""

import asyncio
import logging
from dataclasses import dataclass, field

from dask_operator_api.manifests import items

from dask_operator.api_server.kube import Kube
from dask_operator.errors import ApiError, NotFound
from dask_operator.scope import claims, rights
from dask_operator.scope.rights import Right

logger = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
"""Seconds between two looks at the rights in the namespaces."""

RETRY_SECONDS = 2.0


class Unfit(Exception):
    """The operator must not run here as things are: what is wrong, and the remedy, in one line."""


@dataclass
class Territory:
    """The namespaces of one release.

    Args:
        kube: calls that pass no fence: asking about rights, and claiming, come before leading.
        namespace: the release's own namespace.
        release: its full name.
        wanted: the namespaces it is for; empty for all.
        needed: what the operator has to be allowed in each of them.
    """

    kube: Kube
    namespace: str
    release: str
    wanted: tuple[str, ...]
    needed: tuple[Right, ...] = rights.NEEDED
    _served: tuple[str, ...] = ()
    _problems: dict[str, str] = field(default_factory=dict)
    _told: str = ""

    @property
    def me(self) -> str:
        """The release as claims name it."""
        return f"{self.namespace}/{self.release}"

    @property
    def spaces(self) -> tuple[str | None, ...]:
        """Where to list and watch: namespaces, or None alone for all of them at once."""
        return self._served if self.wanted else (None,)

    @property
    def left_out(self) -> dict[str, str]:
        """Namespaces that should be looked after and are not, and why."""
        return dict(self._problems)

    async def enter(self) -> None:
        """Wait until the rights are there and the scope is this release's own.

        Raises:
            Unfit: another release was first.
        """
        while True:
            try:
                if await (self._enter_some() if self.wanted else self._enter_all()):
                    return
            except ApiError as error:
                self._tell(f"cannot ask the API server about rights yet: {error}")
            await asyncio.sleep(RETRY_SECONDS)

    async def look(self) -> bool:
        """Look at the namespaces anew; gives whether other ones are looked after than before."""
        if not self.wanted:
            return False
        before = self._served
        for namespace in self.wanted:
            try:
                problem = await self._problem_in(namespace)
            except ApiError as error:
                logger.debug("namespace %s was not looked at: %s", namespace, error)
                continue
            self._note(namespace, problem)
        return self._served != before

    def _note(self, namespace: str, problem: str) -> None:
        if problem and problem != self._problems.get(namespace):
            logger.error("namespace %s is left out: %s", namespace, problem)
        elif not problem and namespace in self._problems:
            logger.warning("namespace %s is looked after again", namespace)
        self._problems.pop(namespace, None)
        if problem:
            self._problems[namespace] = problem
        served = {*self._served, namespace} if not problem else {*self._served} - {namespace}
        self._served = tuple(sorted(served))

    async def _enter_some(self) -> bool:
        """Enter what can be entered; gives whether that is anything."""
        lacking = rights.missing(await self._rules(self.namespace), rights.for_leading(self.release))
        if lacking:
            self._tell(_not_allowed(self.namespace, lacking))
            return False
        for namespace in self.wanted:
            rival = await self._rival_in(namespace)
            if rival:
                raise Unfit(f"{rival}. {claims.REMEDY}")
        await self.look()
        return bool(self._served)

    async def _enter_all(self) -> bool:
        here = (*rights.for_leading(self.release), *rights.for_claims())
        lacking = await self._refused("", (*self.needed, *rights.EVERYWHERE))
        lacking_here = await self._refused(self.namespace, here)
        for space, found in (("", lacking), (self.namespace, lacking_here)):
            if found:
                self._tell(_not_allowed(space, found))
        if lacking or lacking_here:
            return False
        await self._refuse_second()
        if await self._claim(self.namespace):
            # Two that begin at the same moment see each other here, and both step back.
            try:
                await self._refuse_second()
            except Unfit:
                await self._withdraw(self.namespace)
                raise
        return True

    async def _refuse_second(self) -> None:
        rival = claims.rival_somewhere(self.me, await self.kube.list_named("Lease", rights.CLAIM))
        if rival:
            raise Unfit(f"{rival}. {claims.REMEDY}")

    async def _problem_in(self, namespace: str) -> str:
        lacking = rights.missing(await self._rules(namespace), (*self.needed, *rights.for_claims()))
        if lacking:
            lacking = await self._refused(namespace, lacking)
        if lacking:
            return _not_allowed(namespace, lacking)
        rival = await self._rival_in(namespace)
        if rival or not await self._claim(namespace):
            return rival
        rival = await self._rival_in(namespace, claimed_just_now=True)
        if rival:
            await self._withdraw(namespace)
        return rival

    async def _rival_in(self, namespace: str, claimed_just_now: bool = False) -> str:
        """The release that is in our way; empty too where nothing can be asked for want of rights."""
        rules = await self._rules(namespace)
        if rights.missing(rules, rights.for_claims()):
            return ""
        claim = await self._claim_of(namespace)
        if claimed_just_now:
            claim = {**claim, "spec": {}}
        return claims.rival_in(self.me, namespace, claim, claims.announced(rules))

    async def _claim_of(self, namespace: str) -> dict[str, object]:
        try:
            return await self.kube.get("Lease", namespace, rights.CLAIM)
        except NotFound:
            text = f"the Lease {namespace}/{rights.CLAIM} is missing: `helm upgrade` makes it"
            raise NotFound(text) from None

    async def _claim(self, namespace: str) -> bool:
        """Write this release into its claim; gives whether it did not stand there before."""
        patch = claims.claimed(self.me, await self._claim_of(namespace))
        if patch is not None:
            await self.kube.patch("Lease", namespace, rights.CLAIM, patch)
        return patch is not None

    async def _withdraw(self, namespace: str) -> None:
        await self.kube.patch("Lease", namespace, rights.CLAIM, {"spec": {"holderIdentity": ""}})

    async def _rules(self, namespace: str) -> list[dict[str, object]]:
        return items(
            await self.kube.review("SelfSubjectRulesReview", {"namespace": namespace}), "resourceRules"
        )

    async def _refused(self, namespace: str, asked: tuple[Right, ...]) -> tuple[Right, ...]:
        """Those of the rights that the API server says it would refuse; an empty ``namespace`` means all."""
        answers = await asyncio.gather(*(self._allowed(namespace, right) for right in asked))
        return tuple(right for right, allowed in zip(asked, answers, strict=True) if not allowed)

    async def _allowed(self, namespace: str, right: Right) -> bool:
        spec = {"resourceAttributes": right.attributes(namespace)}
        return bool((await self.kube.review("SelfSubjectAccessReview", spec)).get("allowed"))

    def _tell(self, text: str) -> None:
        if text != self._told:
            logger.error("%s", text)
        self._told = text


def _not_allowed(namespace: str, lacking: tuple[Right, ...]) -> str:
    where = f"in namespace {namespace}" if namespace else "in all namespaces"
    return (
        f"the operator's service account is not allowed {where}: {rights.in_words(lacking)}. "
        "`helm upgrade` of this release makes its Roles and RoleBindings anew"
    )
