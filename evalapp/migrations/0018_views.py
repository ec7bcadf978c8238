"""Views of comparisons by name, and what tokens cost."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('evalapp', '0017_gates'),
    ]

    operations = [
        migrations.CreateModel(
            name='SavedView',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('name', models.CharField(max_length=80)),
                ('query', models.TextField()),
                ('is_shared', models.BooleanField(db_default=False, default=False)),
                ('campaign', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='saved_views', to='evalapp.campaign')),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='saved_views', to='evalapp.project')),
            ],
            options={
                'indexes': [models.Index(fields=['project', '-id'], name='saved_view_latest')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('is_shared', True)), fields=('campaign', 'name'), name='saved_view_shared_name'), models.UniqueConstraint(condition=models.Q(('is_shared', False)), fields=('campaign', 'owner', 'name'), name='saved_view_own_name'), models.CheckConstraint(condition=models.Q(('query', ''), _negated=True), name='saved_view_narrows')],
            },
        ),
        migrations.CreateModel(
            name='TokenPrice',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('input_price', models.DecimalField(decimal_places=6, max_digits=13)),
                ('output_price', models.DecimalField(decimal_places=6, max_digits=13)),
                ('currency', models.CharField(max_length=3)),
                ('model_version', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='token_prices', to='evalapp.modelversion')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='token_prices', to='evalapp.project')),
                ('set_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project', 'model_version'), name='token_price_once', nulls_distinct=False), models.CheckConstraint(condition=models.Q(('input_price__gte', 0), ('output_price__gte', 0)), name='token_price_not_negative'), models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$')), name='token_price_currency')],
            },
        ),
    ]
